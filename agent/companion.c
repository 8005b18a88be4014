/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-companion: watches the checkpoints of one running attempt as its user and seals those that
 * are whole. Started by the plugin (wire/detach.h): request in the environment, lifeline on
 * descriptor 3, standard error is the job's; all its processes hold descriptor 4. Ends, whatever it
 * is doing, as soon as the batch task has ended. Says nothing but what its user has to know. Exit:
 * 0 the task ended, 1 it could not work, 2 usage.
 */
#include "agent/companion.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#define RESTARTS 5		       /* of a child that died */
#define RESTART_NS (60 * 1000000000LL) /* between two of them */
#define RELEASE_MS 500		       /* for the lease, when the task has ended */
#define NAP_MS 2

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

/* What the job's programs are told is not for us: where Slurm signals all that is in a control
 * group (SignalChildrenProcesses, 23.11) it would end the companion just when they save. */
static void be_deaf(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

void ckpt_companion_die_with(int parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* A process that is kept alive. */
struct child {
	void (*run)(const struct ckpt_companion *c);
	pid_t pid; /* -1: could not be started, 0: not due */
	int64_t started_ns;
	int restarts;
};

static void start(struct child *child, const struct ckpt_companion *c)
{
	pid_t self = getpid();

	child->started_ns = ckpt_frame_now_ns();
	child->pid = fork();
	if (child->pid != 0)
		return;
	ckpt_companion_die_with(self);
	child->run(c);
}

/* True if it has ended within @wait_ms, or was never there. */
static bool is_gone(struct child *child, int wait_ms)
{
	for (;; wait_ms -= NAP_MS) {
		if (child->pid > 0 && waitpid(child->pid, NULL, WNOHANG) != 0)
			child->pid = -1;
		if (child->pid < 0 || wait_ms <= 0)
			return child->pid < 0;
		poll(NULL, 0, NAP_MS);
	}
}

/* Starts it again where it died, not too often. */
static void revive(struct child *child, const struct ckpt_companion *c)
{
	if (child->pid == 0 || child->restarts == RESTARTS ||
	    ckpt_frame_now_ns() - child->started_ns < RESTART_NS || !is_gone(child, 0))
		return;
	child->restarts++;
	start(child, c);
}

__attribute__((noreturn)) static void run_watcher(const struct ckpt_companion *c)
{
	close(CKPT_DETACH_LIFELINE_FD);
	ckpt_companion_watch(c);
}

/* Keeps its children alive and an eye on the job until the batch task ends. */
static void supervise(const struct ckpt_companion *c, struct child *keeper)
{
	struct ckpt_companion_monitor monitor;
	struct child watcher = { .run = run_watcher };

	start(&watcher, c);
	ckpt_companion_monitor_init(&monitor, c);
	while (!ckpt_lifeline_ended(CKPT_DETACH_LIFELINE_FD,
				    ckpt_companion_monitor_wait_ms(&monitor))) {
		ckpt_companion_monitor_look(&monitor);
		revive(&watcher, c);
		revive(keeper, c);
	}
	if (watcher.pid > 0)
		kill(watcher.pid, SIGKILL); /* and with it, by its death, what it started */
	if (keeper->pid > 0 && !is_gone(keeper, RELEASE_MS))
		kill(keeper->pid, SIGKILL);
	if (watcher.pid > 0)
		is_gone(&watcher, RELEASE_MS); /* whoever waits for our end waits for its, too */
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

static int usage(FILE *out, int code)
{
	fprintf(out, "ckpt-companion " CKPT_VERSION " is started by ckpt-resume's plugin; where "
		     "that is not installed, by `ckptctl companion`.\n");
	return code;
}

int main(int argc, char **argv)
{
	static struct ckpt_companion c;
	struct child keeper = { .run = ckpt_companion_keep };
	struct ckpt_error err = { 0 };
	int r;

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0))
		return usage(stdout, 0);
	if (argc != 1 || fcntl(CKPT_DETACH_LIFELINE_FD, F_GETFD) < 0)
		return usage(stderr, 2);
	r = read_environment(&c, &err);
	if (r < 0) {
		fprintf(stderr, "ckpt-resume: warning: no companion: %s\n", err.text);
		return 1;
	}
	be_deaf();
	fcntl(CKPT_DETACH_LIFELINE_FD, F_SETFD, FD_CLOEXEC);
	fcntl(CKPT_DETACH_HELD_FD, F_SETFD, FD_CLOEXEC); /* where there is one */
	if (c.req.lease && c.req.job_id)
		start(&keeper, &c); /* at the job's own priority: it has to be seen alive */
	ckpt_companion_stand_back();
	supervise(&c, &keeper);
	return 0;
}
