/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the copy that may be damaged and the list beside it, by which it is known again. See
 * damage_tree.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/damage_tree.h"
#include "wire/text.h"

#define LIST_HEAD "files that ckptctl damage made and may spoil, by inode\n"
#define PATH_BYTES 4096

static int fail_at(const char *path, struct ckpt_error *err)
{
	return ckpt_fail(err, -errno, "%s: %s", CKPT_QUOTE(path), strerror(errno));
}

static int copy_by_hand(int in, int out)
{
	char buf[64 << 10];
	ssize_t n, done;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n; at += done)
			if ((done = write(out, buf + at, (size_t)(n - at))) < 0)
				return -1;
	return (int)n;
}

/* Blocks shared, or copied by the kernel, or by hand: what the two file systems can. */
static int copy_bytes(int in, int out)
{
	ssize_t n;

	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	while ((n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0)
		;
	return n == 0 && lseek(out, 0, SEEK_CUR) > 0 ? 0 : copy_by_hand(in, out);
}

int ckpt_damage_copy_file(const char *from, const char *to, bool replace, struct ckpt_error *err)
{
	int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (replace ? O_TRUNC : O_CREAT | O_EXCL);
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	struct stat st;

	if (in < 0 || fstat(in, &st) != 0)
		return fail_at(from, err);
	out = open(to, flags, (st.st_mode & 0777) | S_IWUSR);
	if (out < 0 || copy_bytes(in, out) != 0)
		return fail_at(to, err);
	if (futimens(out, (struct timespec[]) { st.st_atim, st.st_mtim }) != 0)
		return fail_at(to, err);
	return 0;
}

/* DIR/NAME -> DIR/.NAME.damage-copy. False if that is too long. */
static bool list_path(const char *path, char *buf)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	return snprintf(buf, PATH_BYTES, "%.*s.%s.damage-copy", (int)(name - path), path, name) <
	       PATH_BYTES;
}

int ckpt_damage_mark(const struct ckpt_damage_tree *tree, const char *path, struct ckpt_error *err)
{
	char list[PATH_BYTES];
	_cleanup_fclose_ FILE *f = NULL;
	struct stat st;

	if (lstat(path, &st) != 0)
		return fail_at(path, err);
	f = list_path(tree->path, list) ? fopen(list, "ae") : NULL;
	if (!f || fprintf(f, "%llu\n", (unsigned long long)st.st_ino) < 0 || fflush(f) != 0)
		return fail_at(list, err);
	return 0;
}

static void cleanup_fts(FTS **fts)
{
	if (*fts)
		fts_close(*fts);
}

/* Makes the directory @to with all directories that @from has, empty ones too. */
static int copy_directories(const char *from, const char *to, struct ckpt_error *err)
{
	char *const start[] = { (char *)from, NULL };
	_cleanup_(cleanup_fts) FTS *fts =
		fts_open(start, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	char path[PATH_BYTES];
	FTSENT *e;

	while (fts && (e = fts_read(fts))) {
		if (e->fts_info != FTS_D)
			continue;
		if (snprintf(path, sizeof(path), "%s%s", to, e->fts_path + strlen(from)) >=
		    PATH_BYTES)
			return ckpt_fail(err, -ENAMETOOLONG, "%s: too long",
					 CKPT_QUOTE(e->fts_path));
		if (mkdir(path, 0777) != 0)
			return fail_at(path, err);
	}
	return 0;
}

/* Where the member with @key goes, below or beside @to. False if that is too long. */
static bool target_of(const struct ckpt_damage_tree *from, const char *to, const char *key,
		      char *buf)
{
	const char *percent = from->shape == CKPT_DAMAGE_PREFIX ? strrchr(to, '%') : NULL;
	int len = percent ? (int)(percent - to) : (int)strlen(to);

	return snprintf(buf, PATH_BYTES, "%.*s%s%s", len, to,
			from->shape == CKPT_DAMAGE_DIRECTORY ? "/" : "", key) < PATH_BYTES;
}

static int copy_members(const struct ckpt_damage_tree *from, const struct ckpt_damage_tree *to,
			FILE *list, struct ckpt_error *err)
{
	char path[PATH_BYTES];
	struct stat st;
	int r;

	for (size_t i = 0; i < from->n; i++) {
		const struct ckpt_damage_member *m = &from->members[i];

		if (!target_of(from, to->path, m->key, path))
			return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(m->path));
		r = ckpt_damage_copy_file(m->path, path, false, err);
		if (r != 0)
			return r;
		if (lstat(path, &st) != 0)
			return fail_at(path, err);
		fprintf(list, "%llu\n", (unsigned long long)st.st_ino);
	}
	return 0;
}

/* A seal names the files it is for: it goes along only where the name stays the same. */
static int copy_seal(const char *from, const char *to, struct ckpt_error *err)
{
	const char *a = strrchr(from, '/'), *b = strrchr(to, '/');
	char source[PATH_BYTES], target[PATH_BYTES];

	if (strcmp(a ? a + 1 : from, b ? b + 1 : to) != 0)
		return 0;
	if (snprintf(source, sizeof(source), "%s.metadata.json", from) >= PATH_BYTES ||
	    snprintf(target, sizeof(target), "%s.metadata.json", to) >= PATH_BYTES)
		return 0;
	return access(source, F_OK) == 0 ? ckpt_damage_copy_file(source, target, false, err) : 0;
}

/* True if @to would lie inside of the directory @from. */
static bool lies_inside(const char *from, const char *to)
{
	_cleanup_free_ char *outer = realpath(from, NULL), *parent = strdup(to), *inner = NULL;
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (slash)
		slash[slash == parent ? 1 : 0] = '\0';
	inner = realpath(slash ? parent : ".", NULL);
	if (!outer || !inner || strncmp(outer, inner, strlen(outer)) != 0)
		return false;
	return inner[strlen(outer)] == '/' || inner[strlen(outer)] == '\0';
}

/* Opens the list of @tree's copy, which only this user can have made. NULL if there is none. */
static FILE *open_list(const struct ckpt_damage_tree *tree, struct stat *ret_st)
{
	_cleanup_close_ int fd = -1;
	char list[PATH_BYTES];

	if (list_path(tree->path, list))
		fd = open(list, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, ret_st) != 0 || !S_ISREG(ret_st->st_mode) ||
	    ret_st->st_uid != geteuid())
		return NULL;
	return fdopen(ckpt_take_fd(&fd), "re");
}

/* The list of a copy that is gone says nothing any more. False if it is there and none of ours. */
static bool drop_list(const char *to, const char *list)
{
	const struct ckpt_damage_tree gone = { .path = (char *)to };
	_cleanup_fclose_ FILE *f = NULL;
	char line[64];
	struct stat st;

	if (lstat(list, &st) != 0)
		return errno == ENOENT;
	f = open_list(&gone, &st);
	return f && fgets(line, sizeof(line), f) && strcmp(line, LIST_HEAD) == 0 &&
	       unlink(list) == 0;
}

static int check_target(const struct ckpt_damage_tree *from, const char *to, const char *list,
			struct ckpt_error *err)
{
	_cleanup_tree_ struct ckpt_damage_tree there = { 0 };
	struct stat st;

	if (lstat(to, &st) == 0 ||
	    (from->shape == CKPT_DAMAGE_PREFIX &&
	     ckpt_damage_tree_list(to, false, &there, NULL) == 0) ||
	    !drop_list(to, list))
		return ckpt_fail(err, -EEXIST, "%s is there already: a copy needs a new name",
				 CKPT_QUOTE(to));
	if (from->shape == CKPT_DAMAGE_DIRECTORY && lies_inside(from->path, to))
		return ckpt_fail(err, -EINVAL, "%s lies inside of the checkpoint itself",
				 CKPT_QUOTE(to));
	if (from->shape == CKPT_DAMAGE_PREFIX && strchr(from->path, '%') && !strchr(to, '%'))
		return ckpt_fail(err, -EINVAL, "%s needs a %% as the checkpoint's name has it",
				 CKPT_QUOTE(to));
	return 0;
}

int ckpt_damage_copy(const struct ckpt_damage_tree *from, const char *to, struct ckpt_error *err)
{
	struct ckpt_damage_tree target = { .path = (char *)to };
	_cleanup_fclose_ FILE *list = NULL;
	char name[PATH_BYTES];
	int r;

	if (!list_path(to, name))
		return ckpt_fail(err, -ENAMETOOLONG, "%s: too long", CKPT_QUOTE(to));
	r = check_target(from, to, name, err);
	if (r != 0)
		return r;
	list = fopen(name, "wxe");
	if (!list || fputs(LIST_HEAD, list) < 0)
		return fail_at(name, err);
	if (from->shape == CKPT_DAMAGE_DIRECTORY)
		r = copy_directories(from->path, to, err);
	if (r == 0)
		r = copy_members(from, &target, list, err);
	if (r != 0)
		return r;
	if (fflush(list) != 0)
		return fail_at(name, err);
	return copy_seal(from->path, to, err);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Reads the inodes of @f, at most @room. Returns how many. */
static size_t read_list(FILE *f, uint64_t *inodes, size_t room)
{
	char line[64];
	size_t n = 0;

	if (!fgets(line, sizeof(line), f) || strcmp(line, LIST_HEAD) != 0)
		return 0;
	while (n < room && fgets(line, sizeof(line), f))
		inodes[n++] = strtoull(line, NULL, 10);
	qsort(inodes, n, sizeof(*inodes), by_number);
	return n;
}

/* A file with a second name may be somebody's checkpoint under that one. */
static bool is_ours(const struct ckpt_damage_member *m, const uint64_t *inodes, size_t n)
{
	struct stat st;

	return lstat(m->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_ino == m->ino && n > 0 &&
	       bsearch(&m->ino, inodes, n, sizeof(*inodes), by_number) != NULL;
}

int ckpt_damage_is_copy(const struct ckpt_damage_tree *tree, struct ckpt_error *err)
{
	_cleanup_free_ uint64_t *inodes = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct stat st;
	size_t n, room;

	f = open_list(tree, &st);
	if (!f)
		return ckpt_fail(
			err, -EPERM,
			"%s is no copy that `ckptctl damage` made: nothing else is touched; "
			"make one by `ckptctl damage %s --to=COPY`",
			CKPT_QUOTE(tree->path), CKPT_QUOTE(tree->path));
	/* a line is two bytes at least */
	room = (size_t)st.st_size / 2 + 1;
	inodes = calloc(room, sizeof(*inodes));
	if (!inodes)
		return ckpt_fail(err, -ENOMEM, "out of memory");
	n = read_list(f, inodes, room);
	for (size_t i = 0; i < tree->n; i++)
		if (!is_ours(&tree->members[i], inodes, n))
			return ckpt_fail(err, -EPERM, "%s was not made by `ckptctl damage`",
					 CKPT_QUOTE(tree->members[i].path));
	return 0;
}
