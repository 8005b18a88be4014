/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damage to which files a checkpoint has, or from which save they are. See damage.h.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/damage.h"
#include "wire/text.h"

#define PATH_BYTES 4096
#define CHUNK (64 << 10)

static int failed(const char *path, struct ckpt_error *err)
{
	return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(path), strerror(errno));
}

static int needs_members(const struct ckpt_damage *d, struct ckpt_error *err)
{
	if (d->tree->n > 1)
		return 0;
	return ckpt_fail(err, -ENODATA, "%s is a single file: it has no members",
			 CKPT_QUOTE(d->tree->path));
}

int ckpt_damage_rename(struct ckpt_damage *d, struct ckpt_error *err)
{
	char to[PATH_BYTES];
	int r = ckpt_damage_choose(d, false, err);

	if (r != 0)
		return r;
	if (snprintf(to, sizeof(to), "%s.tmp", d->at->path) >= PATH_BYTES)
		return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(d->at->path));
	if (access(to, F_OK) == 0)
		return ckpt_fail(err, -EEXIST, "%s is there already", CKPT_QUOTE(to));
	if (rename(d->at->path, to) != 0)
		return failed(to, err);
	d->changed = true;
	snprintf(d->detail, sizeof(d->detail), "left under the temporary name NAME.tmp");
	return 0;
}

int ckpt_damage_missing(struct ckpt_damage *d, struct ckpt_error *err)
{
	int r = needs_members(d, err);

	if (r == 0)
		r = ckpt_damage_choose(d, false, err);
	if (r != 0)
		return r;
	if (unlink(d->at->path) != 0)
		return failed(d->at->path, err);
	d->changed = true;
	snprintf(d->detail, sizeof(d->detail), "removed");
	return 0;
}

/* The name after @path: the last number from @at on counted up, or ".1" behind it. */
static bool next_name(const char *path, size_t at, char *buf)
{
	const char *slash = strrchr(path + at, '/'), *name = slash ? slash + 1 : path + at;
	const char *end, *start;
	char digits[32];

	for (end = path + strlen(path); end > name && !isdigit((unsigned char)end[-1]); end--)
		;
	for (start = end; start > name && isdigit((unsigned char)start[-1]) && end - start < 18;
	     start--)
		;
	if (start == end)
		return snprintf(buf, PATH_BYTES, "%s.1", path) < PATH_BYTES;
	snprintf(digits, sizeof(digits), "%.*s", (int)(end - start), start);
	return snprintf(buf, PATH_BYTES, "%.*s%0*lld%s", (int)(start - path), path,
			(int)(end - start), strtoll(digits, NULL, 10) + 1, end) < PATH_BYTES;
}

int ckpt_damage_extra(struct ckpt_damage *d, struct ckpt_error *err)
{
	char to[PATH_BYTES], next[PATH_BYTES];
	int r = needs_members(d, err);

	if (r == 0)
		r = ckpt_damage_choose(d, false, err);
	if (r != 0)
		return r;
	if (!next_name(d->at->path, (size_t)(d->at->key - d->at->path), to))
		return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(d->at->path));
	while (access(to, F_OK) == 0) {
		if (!next_name(to, (size_t)(d->at->key - d->at->path), next))
			return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(to));
		memcpy(to, next, sizeof(to));
	}
	r = ckpt_damage_copy_file(d->at->path, to, false, err);
	if (r == 0)
		r = ckpt_damage_mark(d->tree, to, err);
	if (r != 0)
		return r;
	d->changed = true;
	snprintf(d->detail, sizeof(d->detail), "copied to a further member %s", CKPT_QUOTE(to));
	return 0;
}

/* 1 where the first @len bytes of the two files differ, 0 where not, or an errno. */
static int differ(const char *a, const char *b, uint64_t len, struct ckpt_error *err)
{
	_cleanup_close_ int x = open(a, O_RDONLY | O_CLOEXEC), y = open(b, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *p = malloc(CHUNK), *q = malloc(CHUNK);
	int r = 0;

	if (x < 0 || y < 0 || !p || !q)
		return failed(x < 0 ? a : b, err);
	for (uint64_t at = 0; at < len; at += CHUNK) {
		size_t n = len - at < CHUNK ? len - at : CHUNK;

		r = ckpt_damage_read(x, at, p, n, err);
		if (r == 0)
			r = ckpt_damage_read(y, at, q, n, err);
		if (r != 0 || memcmp(p, q, n) != 0)
			return r != 0 ? r : 1;
	}
	return 0;
}

/*
 * Chooses a member that the other save has with other bytes (and, @same_size, as many): by its
 * number in the list where one is chosen, from there on round. 0, -ENODATA, or an errno.
 */
static int choose_differing(struct ckpt_damage *d, bool same_size,
			    const struct ckpt_damage_member **ret, struct ckpt_error *err)
{
	int r = ckpt_damage_choose(d, false, err);
	size_t start = r == 0 ? (size_t)(d->at - d->tree->members) : 0;

	for (size_t i = 0; r == 0 && i < (d->member ? 1 : d->tree->n); i++) {
		const struct ckpt_damage_member *m = &d->tree->members[(start + i) % d->tree->n];
		const struct ckpt_damage_member *o = ckpt_damage_tree_find(d->other, m->key);

		if (!o || (same_size && o->size != m->size))
			continue;
		r = o->size != m->size ? 1 : differ(m->path, o->path, m->size, err);
		if (r != 1)
			continue;
		d->at = m;
		*ret = o;
		return 0;
	}
	return r < 0 ? r
		     : ckpt_fail(err, -ENODATA, "%s has no such member with other bytes%s",
				 CKPT_QUOTE(d->other->path), same_size ? " and the same size" : "");
}

static int replace_by(struct ckpt_damage *d, const struct ckpt_damage_member *other,
		      struct ckpt_error *err)
{
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	int r = fd < 0 ? fd : ckpt_damage_copy_file(other->path, d->at->path, true, err);

	if (r != 0)
		return r;
	d->changed = true;
	d->done_length = other->size;
	snprintf(d->detail, sizeof(d->detail), "replaced by the other save's %s",
		 CKPT_QUOTE(other->path));
	return 0;
}

int ckpt_damage_stale(struct ckpt_damage *d, struct ckpt_error *err)
{
	const struct ckpt_damage_member *other;
	int r = needs_members(d, err);

	if (r == 0)
		r = choose_differing(d, false, &other, err);
	return r != 0 ? r : replace_by(d, other, err);
}

/* Writes the first @len bytes of @from over those of @fd. */
static int overwrite_head(int fd, const char *from, uint64_t len, struct ckpt_error *err)
{
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buf = malloc(CHUNK);
	int r = in < 0 || !buf ? failed(from, err) : 0;

	for (uint64_t at = 0; r == 0 && at < len; at += CHUNK) {
		size_t n = len - at < CHUNK ? len - at : CHUNK;

		r = ckpt_damage_read(in, at, buf, n, err);
		if (r == 0)
			r = ckpt_damage_write(fd, at, buf, n, err);
	}
	return r;
}

/* One file, written over in place by another save, which came as far as some byte. */
static int half_overwritten(struct ckpt_damage *d, const struct ckpt_damage_member *other,
			    struct ckpt_error *err)
{
	uint64_t to =
		d->offset > 0 ? (uint64_t)d->offset : 1 + ckpt_damage_random(d, d->at->size - 1);
	_cleanup_close_ int fd = ckpt_damage_open(d, err);
	int r;

	if (fd < 0)
		return fd;
	if (to > d->at->size)
		return ckpt_fail(err, -ENODATA, "--offset is behind the end");
	r = differ(d->at->path, other->path, to, err);
	if (r < 0)
		return r;
	d->changed = r == 1;
	d->done_length = to;
	snprintf(d->detail, sizeof(d->detail), "begins with the bytes of %s",
		 CKPT_QUOTE(other->path));
	return overwrite_head(fd, other->path, to, err);
}

int ckpt_damage_mixed(struct ckpt_damage *d, struct ckpt_error *err)
{
	const struct ckpt_damage_member *other;
	int r = choose_differing(d, true, &other, err);

	if (r != 0)
		return r;
	return d->tree->n > 1 ? replace_by(d, other, err) : half_overwritten(d, other, err);
}
