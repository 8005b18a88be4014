/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tree.h.
 */
#include "core/base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/cleanup.h"

struct removing {
	dev_t dev; /* of the directory that it began in */
	int depth;
	int error; /* the first; < 0 */
};

static void fail(struct removing *rm, int error)
{
	if (rm->error == 0 && error != ENOENT)
		rm->error = -error;
}

/* The directory @name, where it may be entered; NULL otherwise. */
static DIR *enter(struct removing *rm, int at, const char *name)
{
	_cleanup_close_ int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	DIR *d;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(rm, errno), NULL;
	if (st.st_dev != rm->dev)
		return fail(rm, EXDEV), NULL;
	if (rm->depth >= CKPT_TREE_DEPTH)
		return fail(rm, ELOOP), NULL;
	d = fdopendir(fd);
	if (!d)
		return fail(rm, errno), NULL;
	ckpt_take_fd(&fd);
	return d;
}

static void remove_one(struct removing *rm, int at, const char *name);

static void remove_entries(struct removing *rm, int at, const char *name)
{
	_cleanup_closedir_ DIR *d = enter(rm, at, name);
	const struct dirent *e;

	rm->depth++;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_one(rm, dirfd(d), e->d_name);
	rm->depth--;
}

static void remove_one(struct removing *rm, int at, const char *name)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return;
	if (errno != EISDIR && errno != EPERM) /* Linux says EISDIR, POSIX EPERM */
		return fail(rm, errno);
	remove_entries(rm, at, name);
	if (unlinkat(at, name, AT_REMOVEDIR) < 0)
		fail(rm, errno);
}

int ckpt_tree_remove(int at, const char *name)
{
	struct removing rm = { 0 };
	struct stat st;

	if (fstat(at, &st) < 0)
		return -errno;
	rm.dev = st.st_dev;
	remove_one(&rm, at, name);
	return rm.error;
}
