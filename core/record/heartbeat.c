/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See heartbeat.h.
 */
#include "core/record/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "wire/cleanup.h"
#include "wire/text.h"

int ckpt_heartbeat_touch(int dirfd, const char *name, struct ckpt_error *err)
{
	_cleanup_close_ int fd =
		openat(dirfd, name,
		       O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);

	if (fd < 0)
		return ckpt_fail(err, -errno, "cannot open the heartbeat %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	if (futimens(fd, NULL) < 0)
		return ckpt_fail(err, -errno, "cannot touch the heartbeat %s: %s", CKPT_QUOTE(name),
				 strerror(errno));
	return 0;
}
