/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See strays.h. The kernel lists a process's children in /proc; the list is read again until it is
 * empty, since each killed child hands down its own.
 */
#include "hooks/strays.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/frame.h"

#define PAUSE_NS 2000000 /* between two looks */

/* Reaps whatever has ended. False when there is no child at all. */
static bool reap(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid == 0;
}

/* SIGKILL to every child that /proc lists; with more than fit, the rest follows at the next look.
 */
static void kill_children(void)
{
	char path[64], list[8192], *p = list;
	_cleanup_close_ int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	if (len <= 0)
		return;
	list[len] = '\0';
	for (;;) {
		char *end;
		long pid = strtol(p, &end, 10);

		if (*end != ' ' || pid <= 1)
			return; /* the end, or a number cut off by the buffer's */
		kill((pid_t)pid, SIGKILL);
		p = end + 1;
	}
}

bool ckpt_strays_kill(int64_t deadline_ns)
{
	const struct timespec pause = { 0, PAUSE_NS };

	while (reap()) {
		if (ckpt_frame_now_ns() >= deadline_ns)
			return false;
		kill_children();
		nanosleep(&pause, NULL);
	}
	return true;
}
