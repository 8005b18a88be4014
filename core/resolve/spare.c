/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See spare.h. Names alone are kept, without their directories: of two checkpoints of one name
 * both are spared.
 */
#include "core/resolve/spare.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/dirents.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/seal.h"
#include "core/record/epoch_info.h"
#include "core/record/pointer.h"
#include "core/resolve/decide.h"

/* 0 or -ENOMEM. */
static int add_name(struct ckpt_spare *spare, const char *name, size_t len)
{
	if (spare->n == spare->cap) {
		size_t cap = spare->cap ? 2 * spare->cap : 32;
		char **more = reallocarray(spare->names, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		spare->names = more;
		spare->cap = cap;
	}
	spare->names[spare->n] = strndup(name, len);
	return spare->names[spare->n++] ? 0 : -ENOMEM;
}

/* Keeps each part of @path: one may lead into a checkpoint that is a directory, to a file of it.
 * 0 or -ENOMEM. */
static int add(struct ckpt_spare *spare, const char *path)
{
	int r = 0;

	while (r == 0 && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0)
			r = add_name(spare, path, len);
		path += len + (path[len] == '/');
	}
	return r;
}

void ckpt_spare_done(struct ckpt_spare *spare)
{
	for (size_t i = 0; i < spare->n; i++)
		free(spare->names[i]);
	free(spare->names);
	*spare = (struct ckpt_spare) { 0 };
}

static bool has_name(const struct ckpt_spare *spare, const char *name)
{
	for (size_t i = 0; i < spare->n; i++)
		if (strcmp(spare->names[i], name) == 0)
			return true;
	return false;
}

bool ckpt_spare_has(const struct ckpt_spare *spare, const struct ckpt_set *set)
{
	for (int i = 0; set->members[i]; i++)
		if (has_name(spare, set->members[i]))
			return true;
	return has_name(spare, set->name);
}

/* One decision of any attempt and job. */
static int add_decision(struct ckpt_ctx *ctx, struct ckpt_spare *spare, int statefd,
			const char *file, struct ckpt_error *err)
{
	_cleanup_json_ cJSON *json = NULL;
	const char *path;
	int r = ckpt_json_load(ctx, statefd, file, &json, err);

	if (r == -ENOENT)
		return 0;
	if (r != 0)
		return ckpt_fail(err, r < 0 ? r : -EBADMSG,
				 "%s cannot be read: what it names is not known", CKPT_QUOTE(file));
	path = ckpt_json_text(json, "path");
	return path && add(spare, path) < 0 ? ckpt_fail(err, -ENOMEM, "no memory") : 0;
}

typedef int entry_fn(struct ckpt_ctx *ctx, struct ckpt_spare *spare, int dirfd, const char *name,
		     struct ckpt_error *err);

/* Calls @fn for the entries of @dirfd that begin with @start. 0 or an errno. */
static int each_entry(struct ckpt_ctx *ctx, struct ckpt_spare *spare, int dirfd, entry_fn *fn,
		      struct ckpt_error *err)
{
	_cleanup_dirents_ struct ckpt_dirents *d = ckpt_dirents_new(dirfd);
	const struct dirent64 *e;
	int r = d ? 0 : -ENOMEM;

	while (r == 0) {
		r = ckpt_dirents_next(d, &e);
		if (r == 0)
			r = fn(ctx, spare, dirfd, e->d_name, err);
	}
	if (r < 0 && err && !err->text[0])
		ckpt_fail(err, r, "a directory cannot be listed: %s", strerror(-r));
	return r < 0 ? r : 0;
}

static int take_decision(struct ckpt_ctx *ctx, struct ckpt_spare *spare, int statefd,
			 const char *name, struct ckpt_error *err)
{
	size_t len = strlen(name);

	if (!ckpt_text_starts(name, "decision-", NULL) || len < 5 ||
	    strcmp(name + len - 5, ".json") != 0)
		return 0;
	return add_decision(ctx, spare, statefd, name, err);
}

static int add_decisions(struct ckpt_selection *s, struct ckpt_spare *spare, struct ckpt_error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < s->res->roots.n; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(s->res->roots.dir[i], err);

		if (statefd >= 0)
			r = each_entry(s->ctx, spare, statefd, take_decision, err);
		else if (statefd != -ENOENT)
			r = statefd;
	}
	return r;
}

/* What a link of the directory leads to. */
static int take_link(struct ckpt_ctx *ctx, struct ckpt_spare *spare, int dirfd, const char *name,
		     struct ckpt_error *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dirfd, name, target, sizeof(target) - 1);

	(void)ctx;
	if (len < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	target[len] = '\0';
	return add(spare, target) < 0 ? ckpt_fail(err, -ENOMEM, "no memory") : 0;
}

static int add_pointers(struct ckpt_selection *s, struct ckpt_spare *spare, int dirfd,
			struct ckpt_error *err)
{
	char target[CKPT_POINTER_NAME];

	for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; row->file; row++) {
		int r = row->load(s->ctx, dirfd, row, target, err);

		if (r == 0)
			r = add(spare, target);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether @set may be of @epoch, the last completed one: only few count as epoch_info.json does. */
static bool may_be_of(const struct ckpt_set *set, int64_t epoch)
{
	struct ckpt_position p = ckpt_order_position(set);
	double slack = p.meaning == CKPT_EPOCH_COMPLETED ? 0 : 1;

	return p.has_epoch && p.epoch >= (double)epoch - slack && p.epoch <= (double)epoch + slack;
}

/* The one of epoch_info.json, and those of its best epoch. */
static int add_recorded(struct ckpt_selection *s, struct ckpt_spare *spare, int dirfd,
			struct ckpt_error *err)
{
	const struct ckpt_catalog *cat = &s->res->catalog;
	struct ckpt_epoch_info info = { 0 };
	int r = ckpt_epoch_info_load(s->ctx, dirfd, &info, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = add(spare, info.checkpoint);
	for (size_t i = 0; r == 0 && info.has_best_epoch && i < cat->n_sets; i++)
		if (may_be_of(&cat->sets[i], info.best_epoch))
			r = add(spare, cat->sets[i].name);
	return r;
}

static int add_best_of(struct ckpt_selection *s, struct ckpt_spare *spare, int dirfd,
		       const char *file, const char *section)
{
	_cleanup_json_ cJSON *json = NULL;
	const cJSON *state;
	const char *best;

	if (ckpt_json_load(s->ctx, dirfd, file, &json, NULL) != 0)
		return 0;
	state = section ? cJSON_GetObjectItemCaseSensitive(json, section) : json;
	best = ckpt_json_text(state, "best_model_checkpoint");
	return best ? add(spare, best) : 0;
}

/* The best one by a trainer's own state, and by what a seal has copied of it. */
static int add_trainers_best(struct ckpt_selection *s, struct ckpt_spare *spare, int dirfd,
			     const struct ckpt_set *set)
{
	char seal[NAME_MAX + 1], state[NAME_MAX + sizeof("/trainer_state.json")];
	int r = 0;

	if (set->kind != CKPT_KIND_DIRECTORY)
		return 0;
	if (ckpt_seal_name(set->name, seal))
		r = add_best_of(s, spare, dirfd, seal, "training");
	if (r == 0 &&
	    snprintf(state, sizeof(state), "%s/trainer_state.json", set->name) < (int)sizeof(state))
		r = add_best_of(s, spare, dirfd, state, NULL);
	return r;
}

/* What @dir, a run directory or one below it, says by links, pointers and epoch_info.json. */
static int add_of_directory(struct ckpt_selection *s, struct ckpt_spare *spare, const char *dir,
			    struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, dir, err);
	int r = dirfd < 0 ? dirfd : each_entry(s->ctx, spare, dirfd, take_link, err);

	if (r == 0)
		r = add_pointers(s, spare, dirfd, err);
	return r == 0 ? add_recorded(s, spare, dirfd, err) : r;
}

/* The sets from @first on that lie in its directory, *@ret_n of them, and that directory. */
static int add_of_sets(struct ckpt_selection *s, struct ckpt_spare *spare, size_t first,
		       size_t *ret_n, struct ckpt_error *err)
{
	const struct ckpt_catalog *cat = &s->res->catalog;
	const char *dir = cat->sets[first].dir;
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, dir, err);
	int r = dirfd < 0 ? dirfd : add_of_directory(s, spare, dir, err);
	size_t i;

	for (i = first; i < cat->n_sets && strcmp(cat->sets[i].dir, dir) == 0; i++)
		if (r == 0)
			r = add_trainers_best(s, spare, dirfd, &cat->sets[i]);
	*ret_n = i - first;
	return r;
}

/* A run directory may hold nothing but folders of runs, and what refers to their checkpoints. */
static int add_of_runs(struct ckpt_selection *s, struct ckpt_spare *spare, struct ckpt_error *err)
{
	const struct ckpt_resolution *res = s->res;
	int r = 0;

	for (int i = 0; r == 0 && i < res->n_run_dirs; i++) {
		r = add_of_directory(s, spare, res->run_dirs[i], err);
		if (r == -ENOENT)
			r = 0;
	}
	return r;
}

/* What the run configuration starts from. */
static int add_configured(const struct ckpt_run_config *config, struct ckpt_spare *spare)
{
	const char *const paths[] = { config->resume_from_checkpoint, config->custom_checkpoint,
				      config->pretrained };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(paths) / sizeof(*paths); i++)
		r = add(spare, paths[i]);
	return r;
}

int ckpt_spare_collect(struct ckpt_selection *s, struct ckpt_spare *ret, struct ckpt_error *err)
{
	const struct ckpt_catalog *cat = &s->res->catalog;
	int r = add_decisions(s, ret, err);

	if (r == 0)
		r = add_configured(&s->res->config, ret);
	if (r == 0)
		r = add_of_runs(s, ret, err);
	for (size_t i = 0, n; r == 0 && i < cat->n_sets; i += n)
		r = add_of_sets(s, ret, i, &n, err);
	if (r < 0 && err && !err->text[0])
		ckpt_fail(err, r, "what refers to checkpoints could not be found out: %s",
			  strerror(-r));
	return r;
}
