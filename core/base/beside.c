/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See beside.h. Directories are read by their descriptors: no path of them is known or needed.
 */
#include "core/base/beside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "wire/text.h"

/* A metadata directory stands among a handful of others; a work directory may hold anything. */
#define ENTRIES_MAX 4096

static DIR *open_list(int at, const char *path)
{
	_cleanup_close_ int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (d)
		ckpt_take_fd(&fd);
	return d;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether @list's entry @name has it; then the way to its directory is in @path. */
static bool has(int list, const char *name, const struct ckpt_beside *beside,
		const struct stat *own, char path[PATH_MAX])
{
	char file[PATH_MAX];
	struct stat st;

	if (name[0] == '.' || snprintf(path, PATH_MAX, "%s/%s", name, beside->down) >= PATH_MAX ||
	    snprintf(file, sizeof(file), "%.2000s/%s", path, beside->wanted) >= (int)sizeof(file))
		return false;
	return fstatat(list, path, &st, 0) == 0 && !same(&st, own) &&
	       fstatat(list, file, &st, 0) == 0 && S_ISREG(st.st_mode);
}

int ckpt_beside_open(int fd, const struct ckpt_beside *beside)
{
	_cleanup_closedir_ DIR *d = open_list(fd, beside->up);
	char path[PATH_MAX], first[PATH_MAX] = "";
	const struct dirent *e;
	struct stat own;

	if (!d || fstat(fd, &own) < 0)
		return -errno;
	for (int n = 0; n < ENTRIES_MAX && (errno = 0, e = readdir(d)); n++)
		if ((!first[0] || strcmp(e->d_name, first) < 0) &&
		    has(dirfd(d), e->d_name, beside, &own, path))
			snprintf(first, sizeof(first), "%s", path);
	if (!first[0])
		return errno ? -errno : -ENOENT;
	return ckpt_dir_open(dirfd(d), first, NULL);
}

int ckpt_beside_name(int fd, const char *path, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct stat own, st;
	const struct dirent *e;
	char above[64];

	snprintf(above, sizeof(above), "%.56s/..", path);
	d = open_list(fd, above);
	if (!d || fstatat(fd, path, &own, 0) < 0)
		return -errno;
	for (int n = 0; n < ENTRIES_MAX && (e = readdir(d)); n++)
		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
		    same(&st, &own))
			return ckpt_text_copy(ret, size, e->d_name) ? 0 : -ENAMETOOLONG;
	return -ENOENT;
}
