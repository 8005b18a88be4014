/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See folder_files.h.
 */
#include "core/format/train/folder_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/dirents.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define TRIES 8 /* elders that are removed while they are looked for */

/* One listing under way. */
struct walk {
	struct ckpt_check *check;
	struct ckpt_folder_files *files;
	size_t cap;
	bool passing; /* others may be removing it meanwhile: what is gone is no fault */
	unsigned depth;
	char path[PATH_MAX]; /* of the directory that is read, below the first; "" or ends in '/' */
};

void ckpt_folder_files_done(struct ckpt_folder_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free(files->f[i].name);
		free(files->f[i].shape);
	}
	free(files->f);
	*files = (struct ckpt_folder_files) { 0 };
}

/* @name with each number as one '#'; NULL without memory. */
static char *shape_of(const char *name)
{
	char *shape = strdup(name), *to = shape;

	for (const char *p = name; shape && *p;) {
		size_t digits = strspn(p, "0123456789");

		*to++ = digits ? '#' : *p;
		p += digits ? digits : 1;
	}
	if (shape)
		*to = '\0';
	return shape;
}

static int by_shape(const void *va, const void *vb)
{
	const struct ckpt_folder_file *a = va, *b = vb;
	int d = strcmp(a->shape, b->shape);

	return d ? d : strverscmp(a->name, b->name);
}

static int no_memory(struct ckpt_check *check)
{
	return ckpt_fail(check->err, -ENOMEM, "no memory for the files of %s",
			 CKPT_QUOTE(check->name));
}

static int too_much(struct ckpt_check *check, const char *what, unsigned most)
{
	return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, CKPT_NO_OFFSET,
				 NULL, "more than %u %s: not checked", most, what);
}

static int add_file(struct walk *w, const char *name, bool empty)
{
	struct ckpt_folder_files *files = w->files;
	struct ckpt_folder_file *f;

	if (files->n == CKPT_FOLDER_FILES)
		return too_much(w->check, "files", CKPT_FOLDER_FILES);
	if (files->n == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 16;
		f = reallocarray(files->f, w->cap, sizeof(*f));
		if (!f)
			return no_memory(w->check);
		files->f = f;
	}
	f = &files->f[files->n];
	*f = (struct ckpt_folder_file) { .empty = empty };
	if (asprintf(&f->name, "%s%s", w->path, name) < 0) {
		f->name = NULL;
		return no_memory(w->check);
	}
	f->shape = shape_of(f->name);
	files->n++;
	return f->shape ? 0 : no_memory(w->check);
}

static int read_directory(struct walk *w, int fd);

static int enter(struct walk *w, int fd, const char *name)
{
	size_t len = strlen(w->path), more = strlen(name) + 1;
	_cleanup_close_ int below = -1;
	int r;

	if (w->depth + 1 == CKPT_FOLDER_DEPTH || len + more >= sizeof(w->path))
		return too_much(w->check, "directories in each other", CKPT_FOLDER_DEPTH);
	below = ckpt_dir_open(fd, name, w->check->err);
	if (below == -ENOENT && w->passing)
		return 0;
	if (below < 0)
		return below == -ENOENT ? -EAGAIN : below; /* it was there a moment ago */
	snprintf(w->path + len, sizeof(w->path) - len, "%s/", name);
	w->depth++;
	r = read_directory(w, below);
	w->depth--;
	w->path[len] = '\0';
	return r;
}

/* Links to files count as such; one that leads nowhere, too: its check says so. */
static int read_entry(struct walk *w, int fd, const char *name)
{
	struct stat st;

	if (name[0] == '.')
		return 0;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT && w->passing)
		return 0;
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ckpt_fail(w->check->err, -errno, "cannot look up %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	if (S_ISDIR(st.st_mode))
		return enter(w, fd, name);
	if (S_ISLNK(st.st_mode) && fstatat(fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return add_file(w, name, S_ISREG(st.st_mode) && st.st_size == 0);
}

static int read_directory(struct walk *w, int fd)
{
	_cleanup_dirents_ struct ckpt_dirents *d = ckpt_dirents_new(fd);
	const struct dirent64 *e;
	int r = d ? 0 : no_memory(w->check);

	while (r == 0) {
		int end = ckpt_dirents_next(d, &e);

		if (end)
			return end < 0 && !(end == -ENOENT && w->passing) ? end : 0;
		r = read_entry(w, fd, e->d_name);
	}
	return r;
}

static int list(struct ckpt_check *check, int dirfd, bool passing, struct ckpt_folder_files *ret)
{
	struct walk w = { .check = check, .files = ret, .passing = passing };
	_cleanup_close_ int fd = ckpt_dir_open(dirfd, ".", check->err); /* read by nobody else */
	int r = fd < 0 ? fd : read_directory(&w, fd);

	if (r == 0 && ret->n > 0)
		qsort(ret->f, ret->n, sizeof(*ret->f), by_shape);
	return r;
}

int ckpt_folder_files_list(struct ckpt_check *check, int dirfd, struct ckpt_folder_files *ret)
{
	return list(check, dirfd, false, ret);
}

/* Opens the directory around @check's, where it lies there under its name, and no link does. */
static int open_around(const struct ckpt_check *check)
{
	_cleanup_close_ int fd = ckpt_dir_open(check->dirfd, "..", NULL);
	struct stat own, named;

	if (fd < 0 || fstat(check->dirfd, &own) < 0 ||
	    fstatat(fd, ckpt_train_dir_name(check), &named, AT_SYMLINK_NOFOLLOW) < 0 ||
	    own.st_ino != named.st_ino || own.st_dev != named.st_dev)
		return -ENOENT;
	return ckpt_take_fd(&fd);
}

/* Whether @name, a directory in @fd, is of the @shape of @own, below it, and above @best. */
static bool is_nearer(int fd, const char *name, const char *own, const char *shape,
		      const char *best)
{
	_cleanup_free_ char *its = shape_of(name);
	struct stat st;

	return its && strcmp(its, shape) == 0 && strverscmp(name, own) < 0 &&
	       (!best[0] || strverscmp(name, best) > 0) &&
	       fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Finds the elder of @own in @fd. 0, 1: there is none; or an errno. */
static int find_elder(struct ckpt_check *check, int fd, const char *own, char *ret, size_t size)
{
	_cleanup_dirents_ struct ckpt_dirents *d = ckpt_dirents_new(fd);
	_cleanup_free_ char *shape = shape_of(own);
	const struct dirent64 *e;
	int r = d && shape ? 0 : no_memory(check);

	ret[0] = '\0';
	while (r == 0 && (r = ckpt_dirents_next(d, &e)) == 0)
		if (strlen(e->d_name) < size && is_nearer(fd, e->d_name, own, shape, ret))
			snprintf(ret, size, "%s", e->d_name);
	if (r < 0)
		return r;
	return !ret[0];
}

int ckpt_folder_elder_find(struct ckpt_check *check, struct ckpt_folder_elder *ret)
{
	_cleanup_close_ int around = open_around(check);
	unsigned tries = 0;
	int r;

	if (around < 0)
		return 0;
	do {
		r = find_elder(check, around, ckpt_train_dir_name(check), ret->name,
			       sizeof(ret->name));
		if (r)
			return r < 0 ? r : 0;
		ret->fd = ckpt_dir_open(around, ret->name, check->err);
	} while (ret->fd == -ENOENT && ++tries < TRIES); /* it was removed meanwhile: the next */
	if (ret->fd < 0)
		return ret->fd == -ENOENT ? -EAGAIN : ret->fd;
	r = list(check, ret->fd, true, &ret->files);
	return r == -ENOENT ? 0 : r;
}

void ckpt_folder_elder_done(struct ckpt_folder_elder *elder)
{
	ckpt_cleanup_close(&elder->fd);
	ckpt_folder_files_done(&elder->files);
}

/* How many files of @files have the shape of the one at @at, from there on. */
static size_t run_length(const struct ckpt_folder_files *files, size_t at)
{
	size_t n = 0;

	while (at + n < files->n && strcmp(files->f[at + n].shape, files->f[at].shape) == 0)
		n++;
	return n;
}

const struct ckpt_folder_file *ckpt_folder_files_lost(const struct ckpt_folder_files *own,
						      const struct ckpt_folder_files *elder)
{
	size_t at = 0;

	for (size_t i = 0, n; i < elder->n; i += n) {
		const char *shape = elder->f[i].shape;
		size_t have;

		n = run_length(elder, i);
		while (at < own->n && strcmp(own->f[at].shape, shape) < 0)
			at++;
		have = at < own->n && strcmp(own->f[at].shape, shape) == 0 ? run_length(own, at)
									   : 0;
		if (have < n)
			return &elder->f[i + have];
	}
	return NULL;
}

/* NAME-3-of-8.pt: its parts. */
struct part {
	size_t before;	   /* the length of "NAME-" */
	const char *after; /* "-of-8.pt" */
	unsigned long of;
};

static bool read_part(const char *name, struct part *ret)
{
	static const char digits[] = "0123456789";
	const char *of = NULL, *no;

	for (const char *p = name; (p = strstr(p, "-of-")); p++)
		of = p;
	if (!of || !strchr(digits, of[4]) || !of[4])
		return false;
	for (no = of; no > name && strchr(digits, no[-1]); no--)
		continue;
	*ret = (struct part) { .before = (size_t)(no - name),
			       .after = of,
			       .of = strtoul(of + 4, NULL, 10) };
	return no < of;
}

static bool is_beside(const char *name, const char *other)
{
	struct part a, b;

	return read_part(name, &a) && read_part(other, &b) && a.before == b.before &&
	       memcmp(name, other, a.before) == 0 && strcmp(a.after, b.after) == 0;
}

bool ckpt_folder_files_part_lost(const struct ckpt_folder_files *files, char *ret, size_t size)
{
	struct part part;

	for (size_t i = 0, n; i < files->n; i += n) {
		const char *name = files->f[i].name;

		for (n = 1; i + n < files->n && is_beside(name, files->f[i + n].name);)
			n++;
		if (!read_part(name, &part) || n >= part.of)
			continue;
		snprintf(ret, size, "%s", name);
		return true;
	}
	return false;
}

const struct ckpt_folder_file *ckpt_folder_files_like(const struct ckpt_folder_files *files,
						      const struct ckpt_folder_file *file)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->f[i].shape, file->shape) == 0)
			return &files->f[i];
	return NULL;
}
