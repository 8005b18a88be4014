/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See state.h. The directory itself is never reached through a link: a run's memory lies in the
 * run.
 */
#include "core/record/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "wire/cleanup.h"

static int open_state(int dirfd)
{
	int fd = openat(dirfd, CKPT_STATE_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int ckpt_state_open(int dirfd, struct ckpt_error *err)
{
	int fd = open_state(dirfd);

	if (fd < 0)
		return ckpt_fail(err, fd, "cannot open %s: %s", CKPT_STATE_DIR, strerror(-fd));
	return fd;
}

int ckpt_state_make(int dirfd, struct ckpt_error *err)
{
	int made = mkdirat(dirfd, CKPT_STATE_DIR, 0700) < 0 ? -errno : 0;
	_cleanup_close_ int fd = -1;

	/* EROFS and EACCES may come before EEXIST is looked at: whether it is there, the opening
	 * tells */
	fd = open_state(dirfd);
	if (fd == -ENOENT && made < 0)
		return ckpt_fail(err, made, "cannot make %s: %s", CKPT_STATE_DIR, strerror(-made));
	if (fd < 0)
		return ckpt_fail(err, fd, "cannot open %s: %s", CKPT_STATE_DIR, strerror(-fd));
	if (made == 0 && fsync(dirfd) < 0 && errno != EINVAL)
		return ckpt_fail(err, -errno, "cannot sync the directory of %s: %s", CKPT_STATE_DIR,
				 strerror(errno));
	return ckpt_take_fd(&fd);
}

int ckpt_state_open_in(const char *root, struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, root, err);

	return dirfd < 0 ? dirfd : ckpt_state_open(dirfd, err);
}

int ckpt_state_make_in(const char *root, struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_make_path(root, err);

	return dirfd < 0 ? dirfd : ckpt_state_make(dirfd, err);
}
