/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See look.h. The print of a set is a hash over the names and identities of its files; whoever
 * rewrites one changes a time of it.
 */
#include "core/watch/look.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/integrity/files.h"

#define NEW_NS ((int64_t)60000000000) /* changed within this time before the first look: new */

/* One look under way. */
struct looking {
	struct ckpt_ctx *ctx;
	struct ckpt_watch *watch;
	struct ckpt_look *ret;
	int64_t now_ns, wall_ns;
};

/* A set as it is now. */
struct sight {
	struct ckpt_watched seen;
	int64_t mtime_ns, ctime_ns; /* the latest of its files */
};

static uint64_t key_of(const struct ckpt_set *set)
{
	uint64_t h = ckpt_hash(CKPT_HASH_START, set->dir, strlen(set->dir) + 1);

	h = ckpt_hash(h, set->name, strlen(set->name) + 1);
	h = ckpt_hash(h, &set->kind, sizeof(set->kind));
	return h ? h : 1;
}

static void see_file(struct sight *sight, const char *name, const struct ckpt_identity *id)
{
	const uint64_t numbers[] = { id->ino, id->size, (uint64_t)id->mtime_ns,
				     (uint64_t)id->ctime_ns };

	sight->seen.print = ckpt_hash(sight->seen.print, name, strlen(name) + 1);
	sight->seen.print = ckpt_hash(sight->seen.print, numbers, sizeof(numbers));
	sight->seen.size += id->size;
	if (id->mtime_ns > sight->mtime_ns)
		sight->mtime_ns = id->mtime_ns;
	if (id->ctime_ns > sight->ctime_ns)
		sight->ctime_ns = id->ctime_ns;
}

/* False where it has vanished or cannot be listed. */
static bool see(const struct ckpt_set *set, struct sight *ret)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int rootfd = dirfd < 0 ? -1 : ckpt_files_root(dirfd, set, NULL);
	_cleanup_files_ struct ckpt_files files = { 0 };

	*ret = (struct sight) { .seen = { .key = key_of(set), .print = CKPT_HASH_START } };
	if (rootfd < 0 || ckpt_files_list(rootfd, set, &files, NULL) != 0)
		return false;
	for (size_t i = 0; i < files.n; i++)
		see_file(ret, files.f[i].name, &files.f[i].id);
	return files.n > 0;
}

/* Whether it was there before the job's program could have written it. */
static bool is_old(const struct looking *l, const struct sight *sight)
{
	int64_t age = l->wall_ns - sight->ctime_ns;

	return !l->watch->begun && (age < -NEW_NS || age > NEW_NS);
}

static int look_at(struct looking *l, struct ckpt_set *set)
{
	const struct ckpt_watched *item, *before;
	struct sight sight;
	bool same;

	if (!see(set, &sight))
		return 0;
	before = ckpt_items_find(&l->watch->items, sight.seen.key);
	same = before && before->print == sight.seen.print;
	item = ckpt_items_note(&l->watch->items, &sight.seen, l->now_ns, is_old(l, &sight));
	if (!item)
		return -ENOMEM;
	l->ret->changed += !same && item->due_ns != INT64_MAX;
	if (item->due_ns > l->now_ns || (l->ret->due && sight.mtime_ns <= l->ret->due_mtime_ns))
		return 0;
	l->ret->due = set;
	l->ret->due_key = item->key;
	l->ret->due_mtime_ns = sight.mtime_ns;
	return 0;
}

static int scan(struct looking *l, const char *dir, int index, bool known_layouts_only)
{
	const struct ckpt_catalog_options options = {
		.glob = l->watch->places.glob,
		.known_layouts_only = known_layouts_only,
		.is_others = l->watch->places.is_others,
		.arg = l->watch->places.arg,
	};
	int r = ckpt_catalog_scan(l->ctx, &l->ret->catalog, dir, index, &options, NULL);

	l->ret->missing += r < 0;
	return r == -ENOMEM ? r : 0;
}

static int scan_all(struct looking *l)
{
	const struct ckpt_watch_places *places = &l->watch->places;
	int r = 0;

	for (int i = 0; i < places->n && r == 0; i++)
		r = scan(l, places->dir[i], i, false);
	if (r == 0 && l->ret->catalog.n_sets == 0 && places->fallback)
		r = scan(l, places->fallback, places->n, true);
	return r;
}

int ckpt_watch_look(struct ckpt_ctx *ctx, struct ckpt_watch *watch, struct ckpt_look *ret,
		    struct ckpt_error *err)
{
	struct looking l = { .ctx = ctx, .watch = watch, .ret = ret };
	struct timespec wall;
	int r;

	*ret = (struct ckpt_look) { 0 };
	clock_gettime(CLOCK_REALTIME, &wall);
	l.wall_ns = ckpt_clock_ns(wall);
	l.now_ns = ckpt_ctx_now(ctx);
	ckpt_items_begin(&watch->items);
	r = scan_all(&l);
	for (size_t i = 0; r == 0 && i < ret->catalog.n_sets; i++)
		r = look_at(&l, &ret->catalog.sets[i]);
	if (r < 0)
		return ckpt_fail(err, r, "no memory to watch checkpoints");
	if (ret->missing == 0) /* what was not looked at is not gone */
		ckpt_items_end(&watch->items);
	watch->begun = true;
	return 0;
}

void ckpt_look_done(struct ckpt_look *look)
{
	ckpt_catalog_done(&look->catalog);
}

void ckpt_watch_done(struct ckpt_watch *watch)
{
	ckpt_items_done(&watch->items);
}
