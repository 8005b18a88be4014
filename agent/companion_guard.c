/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a stopped batch script. The companion is the first to be killed where memory is
 * short, which is likely while a program saves: a script that it has stopped would wait until its
 * time limit for nobody.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/companion.h"
#include "wire/cleanup.h"
#include "wire/detach.h"

/* Back to where it began, which needs no privilege. */
static void step_forward(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) < 0)
		errno = 0; /* then it is as likely to be killed as the companion */
}

__attribute__((noreturn)) static void stand_guard(const struct ckpt_companion *c, int companion)
{
	struct pollfd p = { .fd = companion, .events = POLLIN };

	step_forward();
	close(CKPT_DETACH_HELD_FD); /* whoever waits for the companion's end does not wait for ours
				     */
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (!ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD, 0))
		kill(c->task, SIGCONT);
	_exit(0);
}

int ckpt_companion_guard(const struct ckpt_companion *c)
{
	int fds[2];
	pid_t pid;

	if (c->task <= 0 || pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		stand_guard(c, fds[0]);
	}
	close(fds[0]);
	if (pid > 0)
		return fds[1];
	close(fds[1]);
	return -1;
}
