/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lock.h. An open-file-description lock, so that it belongs to the descriptor and not to
 * whatever else of the process closes the same file. It is polled: F_OFD_SETLKW has no time-out but
 * a signal.
 */
#include "core/record/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "core/base/ctx.h"
#include "core/record/state.h"
#include "wire/cleanup.h"

#define POLL_MS 50

static int try_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static void nap(int64_t ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

static int lock_until(int fd, int64_t end_ns)
{
	for (;;) {
		int r = try_lock(fd);
		int64_t left;

		if (r != -EAGAIN && r != -EINTR)
			return r;
		left = end_ns - ckpt_ctx_now(NULL);
		if (left <= 0)
			return -EAGAIN;
		nap(left < POLL_MS * 1000000LL ? left : POLL_MS * 1000000LL);
	}
}

int ckpt_state_lock_named(int statefd, const char *name, int wait_ms, struct ckpt_error *err)
{
	int64_t end_ns = ckpt_ctx_now(NULL) + wait_ms * 1000000LL;
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(statefd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0666);
	if (fd < 0)
		return ckpt_fail(err, -errno, "cannot open %s/%s: %s", CKPT_STATE_DIR, name,
				 strerror(errno));
	r = lock_until(fd, end_ns);
	if (r == -EAGAIN)
		return ckpt_fail(err, r, "another run holds the lock %s/%s", CKPT_STATE_DIR, name);
	if (r < 0)
		return ckpt_fail(err, r, "cannot lock %s/%s: %s", CKPT_STATE_DIR, name,
				 strerror(-r));
	return ckpt_take_fd(&fd);
}

int ckpt_state_lock(int statefd, int wait_ms, struct ckpt_error *err)
{
	return ckpt_state_lock_named(statefd, CKPT_LOCK, wait_ms, err);
}
