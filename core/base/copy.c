/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See copy.h. The temporary gets its name by link(2), which never replaces; where a file system has
 * no links, by rename(2) after a look.
 */
#include "core/base/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/file.h"
#include "wire/text.h"

#define PIECE ((size_t)8 * 1024 * 1024) /* between two looks at the deadline */

static int has_room(int fd, uint64_t size)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0)
		return -errno;
	return size / 2 > (uint64_t)fs.f_bavail * fs.f_frsize / 4 ? -ENOSPC : 0;
}

static int copy_bytes(struct ckpt_ctx *ctx, int in, int out, uint64_t size)
{
	while (size > 0) {
		int r = ckpt_ctx_expired(ctx);
		ssize_t n;

		if (r < 0)
			return r;
		n = copy_file_range(in, NULL, out, NULL, size < PIECE ? size : PIECE, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ESTALE; /* it shrank meanwhile */
		size -= (uint64_t)n;
	}
	return 0;
}

static int fill(struct ckpt_ctx *ctx, const struct ckpt_file *in, int out)
{
	int r = ckpt_ctx_expired(ctx);

	if (r == 0 && ioctl(out, FICLONE, in->fd) < 0) {
		r = has_room(out, in->size);
		if (r == 0)
			r = copy_bytes(ctx, in->fd, out, in->size);
	}
	if (r == 0 && ckpt_file_unchanged(in) != 1)
		r = -ESTALE;
	return r == 0 && fsync(out) < 0 ? -errno : r;
}

/* Gives the temporary its name. */
static int publish(int dirfd, const char *tmp, const char *to)
{
	if (linkat(dirfd, tmp, dirfd, to, 0) == 0)
		return unlinkat(dirfd, tmp, 0) < 0 ? -errno : fsync(dirfd) < 0 ? -errno : 0;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (ckpt_dir_has(dirfd, to))
		return -EEXIST;
	return renameat(dirfd, tmp, dirfd, to) < 0 ? -errno : 0;
}

static int make(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_file *in, const char *to)
{
	_cleanup_close_ int out = -1;
	char tmp[NAME_MAX + 1];
	struct stat st;
	int r;

	if (snprintf(tmp, sizeof(tmp), ".%s.copy.tmp", to) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	if (ckpt_dir_has(dirfd, to))
		return -EEXIST;
	unlinkat(dirfd, tmp, 0); /* of one that was killed */
	if (fstat(in->fd, &st) < 0)
		return -errno;
	out = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     st.st_mode & 0777);
	if (out < 0)
		return -errno;
	r = fill(ctx, in, out);
	if (r == 0)
		r = publish(dirfd, tmp, to);
	if (r < 0)
		unlinkat(dirfd, tmp, 0);
	return r;
}

int ckpt_file_copy(struct ckpt_ctx *ctx, int dirfd, const char *from, const char *to,
		   struct ckpt_error *err)
{
	_cleanup_file_ struct ckpt_file in = CKPT_FILE_INIT;
	int r = ckpt_file_open(ctx, dirfd, from, &in, err);

	if (r > 0)
		return ckpt_fail(err, -EISDIR, "%s is no regular file", CKPT_QUOTE(from));
	if (r < 0)
		return r;
	r = make(ctx, dirfd, &in, to);
	if (r < 0)
		return ckpt_fail(err, r, "%s could not be copied to %s: %s", CKPT_QUOTE(from),
				 CKPT_QUOTE(to), strerror(-r));
	return 0;
}
