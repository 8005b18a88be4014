/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writing half of file.h: replacement of a whole file, and directories. After a crash a reader
 * sees the old content or the new one, never a part.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/base/temporary.h"
#include "wire/text.h"

#define TRIES 16 /* random names that may be taken before giving up */

static int fail_errno(struct ckpt_error *err, int code, const char *what, const char *name)
{
	return ckpt_fail(err, -code, "cannot %s %s: %s", what, CKPT_QUOTE(name), strerror(code));
}

/* Makes the temporary for @name, its name into @tmp. Descriptor or an errno. */
static int open_temporary(int dirfd, const char *name, char tmp[CKPT_TEMPORARY_NAME])
{
	for (int i = 0; i < TRIES; i++) {
		int fd, r = ckpt_temporary_name(name, tmp);

		if (r < 0)
			return r;
		fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* Mode and group of the file that is replaced are kept as far as its owner may set them. */
static void keep_mode(int dirfd, const char *name, int fd)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return;
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && fchown(fd, (uid_t)-1, st.st_gid) < 0)
		st.st_mode &= ~(mode_t)S_IRWXG; /* the group would be another one */
	fchmod(fd, st.st_mode & 0777);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Some network file systems cannot sync a directory and say so by EINVAL: theirs is done by the
 * server. */
static int sync_dir(int dirfd)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}

int ckpt_file_replace(int dirfd, const char *name, const void *data, size_t len,
		      struct ckpt_error *err)
{
	_cleanup_close_ int fd = -1;
	char tmp[CKPT_TEMPORARY_NAME];
	int r;

	fd = open_temporary(dirfd, name, tmp);
	if (fd < 0)
		return fail_errno(err, -fd, "write", name);
	keep_mode(dirfd, name, fd);
	r = write_all(fd, data, len);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return fail_errno(err, -r, "write", name);
	}
	r = sync_dir(dirfd);
	return r < 0 ? fail_errno(err, -r, "make durable", name) : 0;
}

int ckpt_dir_open(int dirfd, const char *name, struct ckpt_error *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? fail_errno(err, errno, "open directory", name) : fd;
}

int ckpt_dir_make(int dirfd, const char *name, struct ckpt_error *err)
{
	int fd;

	if (mkdirat(dirfd, name, 0777) < 0 && errno != EEXIST)
		return fail_errno(err, errno, "make directory", name);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? fail_errno(err, errno, "open directory", name) : fd;
}

bool ckpt_dir_has(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool ckpt_dir_lacks(int dirfd, const char *name)
{
	return !ckpt_dir_has(dirfd, name) &&
	       (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG);
}
