/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See files.h.
 */
#include "core/integrity/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/catalog/pool.h"
#include "core/format/format.h"
#include "wire/text.h"

/* One listing under way. */
struct listing {
	int rootfd;
	struct ckpt_files *files;
	struct ckpt_error *err;
};

/* What others leave in a directory and take away again: we, file systems (files removed while open,
 * macOS's second halves), file managers, editors, notebooks. No part of the checkpoint. */
static const char *const foreign_names[] = {
	".",	     "..",	    ".ckpt-resume", ".DS_Store",
	"Thumbs.db", "desktop.ini", ".directory",   ".ipynb_checkpoints"
};
static const char *const foreign_begins[] = { ".nfs", ".fuse_hidden", "._" };
static const char *const foreign_ends[] = { ".swp", "~" };

static bool is_foreign(const char *name)
{
	for (size_t i = 0; i < sizeof(foreign_names) / sizeof(*foreign_names); i++)
		if (strcmp(name, foreign_names[i]) == 0)
			return true;
	for (size_t i = 0; i < sizeof(foreign_begins) / sizeof(*foreign_begins); i++)
		if (ckpt_text_starts(name, foreign_begins[i], NULL))
			return true;
	for (size_t i = 0; i < sizeof(foreign_ends) / sizeof(*foreign_ends); i++)
		if (ckpt_text_ends(name, foreign_ends[i]))
			return true;
	return false;
}

static int cannot(const struct listing *l, int code, const char *what, const char *name)
{
	return ckpt_fail(l->err, -code, "cannot %s %s: %s", what, CKPT_QUOTE(name), strerror(code));
}

static int add_file(const struct listing *l, const char *name)
{
	struct ckpt_files *files = l->files;
	struct ckpt_member *member;
	int r;

	if (files->n == CKPT_FILES_MAX)
		return ckpt_fail(l->err, CKPT_FILES_UNBOUNDED, "it has more than %d files",
				 CKPT_FILES_MAX);
	if (ckpt_array_grow(&files->f, files->n, &files->cap, sizeof(*files->f)) < 0)
		return cannot(l, ENOMEM, "list", name);
	member = &files->f[files->n];
	r = ckpt_identity_at(l->rootfd, name, true, &member->id);
	if (r < 0)
		return r == -ENOENT ? 0 : cannot(l, -r, "look up", name);
	member->name = strdup(name);
	if (!member->name)
		return cannot(l, ENOMEM, "list", name);
	files->n++;
	return 0;
}

static int list_folder(const struct listing *l, const char *folder, int depth);

static int list_entry(const struct listing *l, const char *name, int depth)
{
	struct stat st, target;

	if (fstatat(l->rootfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : cannot(l, errno, "look up", name);
	if (S_ISDIR(st.st_mode))
		return list_folder(l, name, depth + 1);
	if (S_ISREG(st.st_mode))
		return add_file(l, name);
	if (!S_ISLNK(st.st_mode) || fstatat(l->rootfd, name, &target, 0) < 0)
		return 0;
	if (S_ISDIR(target.st_mode))
		return ckpt_fail(l->err, CKPT_FILES_UNBOUNDED, "%s in it is a link to a directory",
				 CKPT_QUOTE(name));
	return S_ISREG(target.st_mode) ? add_file(l, name) : 0;
}

/* Lists the entries of @folder ("" is the root). */
static int list_folder(const struct listing *l, const char *folder, int depth)
{
	_cleanup_closedir_ DIR *d = NULL;
	const struct dirent *e;
	char name[PATH_MAX];
	int fd, r;

	if (depth > CKPT_FILES_DEPTH)
		return ckpt_fail(l->err, CKPT_FILES_UNBOUNDED,
				 "it has more than %d folders in folders", CKPT_FILES_DEPTH);
	fd = openat(l->rootfd, *folder ? folder : ".",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cannot(l, errno, "open directory", folder);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return cannot(l, ENOMEM, "read", folder);
	}
	while (errno = 0, (e = readdir(d))) {
		if (is_foreign(e->d_name))
			continue;
		if (snprintf(name, sizeof(name), "%s%s%s", folder, *folder ? "/" : "", e->d_name) >=
		    (int)sizeof(name))
			return cannot(l, ENAMETOOLONG, "list", folder);
		r = list_entry(l, name, depth);
		if (r != 0)
			return r;
	}
	return errno ? cannot(l, errno, "read directory", folder) : 0;
}

/* What the format of @name keeps in a folder beside it is part of it: other files there are not. */
static int list_beside(const struct listing *l, const char *name)
{
	char path[PATH_MAX];
	int r = 0;

	for (int i = 0; r == 0 && ckpt_format_beside(name, i, path, sizeof(path)); i++) {
		if (ckpt_dir_lacks(l->rootfd, path))
			return 0;
		r = add_file(l, path);
	}
	return r;
}

static int list_members(const struct listing *l, const struct ckpt_set *set)
{
	int r = 0;

	for (int i = 0; r == 0 && set->members[i]; i++) {
		r = add_file(l, set->members[i]);
		if (r == 0 && set->kind == CKPT_KIND_FILE)
			r = list_beside(l, set->members[i]);
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ckpt_member *)a)->name, ((const struct ckpt_member *)b)->name);
}

int ckpt_files_root(int dirfd, const struct ckpt_set *set, struct ckpt_error *err)
{
	return ckpt_dir_open(dirfd, set->kind == CKPT_KIND_DIRECTORY ? set->name : ".", err);
}

int ckpt_files_list(int rootfd, const struct ckpt_set *set, struct ckpt_files *ret,
		    struct ckpt_error *err)
{
	_cleanup_files_ struct ckpt_files files = { 0 };
	struct listing l = { .rootfd = rootfd, .files = &files, .err = err };
	int r = set->kind == CKPT_KIND_DIRECTORY ? list_folder(&l, "", 0) : list_members(&l, set);

	if (r != 0)
		return r;
	if (files.n > 1)
		qsort(files.f, files.n, sizeof(*files.f), by_name);
	*ret = files;
	files = (struct ckpt_files) { 0 };
	return 0;
}

bool ckpt_files_leads_away(int rootfd, const char *name)
{
	const char *base = strrchr(name, '/');
	int at = base ? (int)(base - name) + 1 : 0;
	char target[PATH_MAX], dir[2 * PATH_MAX], *slash;
	ssize_t n = readlinkat(rootfd, name, target, sizeof(target) - 1);
	struct stat st;

	if (n <= 0)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (!slash)
		return false;
	slash[slash == target] = '\0';
	snprintf(dir, sizeof(dir), "%.*s%s", target[0] == '/' ? 0 : at, name, target);
	return fstatat(rootfd, dir, &st, 0) < 0;
}

ssize_t ckpt_files_find(const struct ckpt_files *files, const char *name)
{
	const struct ckpt_member key = { .name = (char *)name };
	const struct ckpt_member *found =
		files->n ? bsearch(&key, files->f, files->n, sizeof(key), by_name) : NULL;

	return found ? found - files->f : -1;
}

size_t ckpt_files_nested(const struct ckpt_files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++)
		n += strchr(files->f[i].name, '/') != NULL;
	return n;
}

uint64_t ckpt_files_size(const struct ckpt_files *files)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < files->n; i++)
		sum += files->f[i].id.size;
	return sum;
}

bool ckpt_files_same(const struct ckpt_files *a, const struct ckpt_files *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->f[i].name, b->f[i].name) != 0 ||
		    !ckpt_identity_same(&a->f[i].id, &b->f[i].id))
			return false;
	return true;
}

void ckpt_files_done(struct ckpt_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->f[i].name);
	free(files->f);
	*files = (struct ckpt_files) { 0 };
}
