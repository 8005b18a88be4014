/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-companion: watches the checkpoints of one running attempt as its user and seals those that
 * are whole. Started by the plugin (wire/detach.h): request in the environment, lifeline on
 * descriptor 3, standard error is the job's. Ends, whatever it is doing, as soon as the batch task
 * has ended. Says nothing but what its user has to know. Exit: 0 the task ended, 1 it could not
 * work, 2 usage.
 */
#include "agent/companion.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/detach.h"
#include "wire/frame.h"
#include "wire/text.h"

#define NICE 19
#define RESTARTS 5		       /* of a watcher that died */
#define RESTART_NS (60 * 1000000000LL) /* between two of them */

/* As in linux/ioprio.h, which not every system has. */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

static const char *from_environment(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

void ckpt_companion_stand_back(void)
{
	const struct sched_param param = { 0 };
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "1000", 4) < 0)
		errno = 0; /* a kernel without it */
	setpriority(PRIO_PROCESS, 0, NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	sched_setscheduler(0, SCHED_IDLE, &param);
}

void ckpt_companion_die_with(int parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* The watcher's pid, or -1 where it cannot be started now. */
static pid_t start_watcher(const struct ckpt_companion *c)
{
	pid_t self = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	ckpt_companion_die_with(self);
	close(CKPT_DETACH_LIFELINE_FD);
	ckpt_companion_watch(c);
}

/* True if @pid has ended, or was never there. */
static bool is_gone(pid_t pid)
{
	return pid < 0 || waitpid(pid, NULL, WNOHANG) != 0;
}

/* Keeps a watcher alive and an eye on the job until the batch task ends. */
static void supervise(const struct ckpt_companion *c)
{
	struct ckpt_companion_monitor monitor;
	int64_t started_ns = ckpt_frame_now_ns();
	pid_t watcher = start_watcher(c);
	int restarts = 0;

	ckpt_companion_monitor_init(&monitor, c);
	while (!ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD,
				    ckpt_companion_monitor_wait_ms(&monitor))) {
		ckpt_companion_monitor_look(&monitor);
		if (restarts == RESTARTS || ckpt_frame_now_ns() - started_ns < RESTART_NS ||
		    !is_gone(watcher))
			continue;
		restarts++;
		started_ns = ckpt_frame_now_ns();
		watcher = start_watcher(c);
	}
	if (watcher > 0)
		kill(watcher, SIGKILL); /* and with it, by its death, what it started */
}

static int64_t duration_ns(const char *text)
{
	int64_t seconds;

	return ckpt_text_duration(text, &seconds) ? seconds * 1000000000 : -1;
}

static int read_environment(struct ckpt_companion *c, struct ckpt_error *err)
{
	const char *run = getenv("CKPT_COMPANION_RUN"), *task = getenv("CKPT_COMPANION_TASK");
	int64_t pid;
	int fds[2], r;

	ckpt_request_init(&c->req);
	r = ckpt_fields_from_env(&ckpt_request_fields, &c->req, CKPT_REQUEST_ENV_PREFIX,
				 from_environment, NULL, err);
	if (r == 0)
		r = ckpt_request_check(&c->req, err);
	if (r < 0)
		return r;
	if (run)
		ckpt_text_copy(c->run, sizeof(c->run), run);
	if (task && ckpt_text_int(task, 1, INT32_MAX, &pid))
		c->task = (pid_t)pid;
	c->stall_ns =
		strcmp(c->req.stall, "auto") == 0 ? CKPT_STALL_AUTO : duration_ns(c->req.stall);
	c->before_ns = duration_ns(c->req.before_limit);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return ckpt_fail(err, -errno, "no socket: %s", strerror(errno));
	c->watcher_fd = fds[0];
	c->news_fd = fds[1];
	return 0;
}

int main(int argc, char **argv)
{
	static struct ckpt_companion c;
	struct ckpt_error err = { 0 };
	int r;

	(void)argv;
	if (argc != 1 || fcntl(CKPT_DETACH_LIFELINE_FD, F_GETFD) < 0) {
		fprintf(stderr, "ckpt-companion is started by ckpt-resume's plugin.\n");
		return 2;
	}
	ckpt_companion_stand_back();
	r = read_environment(&c, &err);
	if (r < 0) {
		fprintf(stderr, "ckpt-resume: warning: no companion: %s\n", err.text);
		return 1;
	}
	fcntl(CKPT_DETACH_LIFELINE_FD, F_SETFD, FD_CLOEXEC);
	supervise(&c);
	return 0;
}
