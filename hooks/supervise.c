/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See supervise.h. slurmd waits for the end of the hook's stdout and stderr as well as for the
 * hook, so the worker gives them up before it does anything else. The supervisor is the subreaper
 * of everything below it. A timer stands behind the deadline: should the supervisor itself be stuck
 * (a dead syslog socket), it exits 0 from the signal handler. On a busy node the timer can also be
 * faster than the supervisor, which has not yet seen that the worker was granted more: what counts
 * is the deadline of that moment.
 */
#include "hooks/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hooks/log.h"
#include "hooks/strays.h"
#include "wire/cleanup.h"
#include "wire/frame.h"

#define MS_NS ((int64_t)1000000)
#define KILL_MS 100	/* for a killed worker or stray to be gone; then it is left behind */
#define BACKSTOP_MS 250 /* after the deadline; with margin and KILL_MS still within a second */

static volatile sig_atomic_t told_to_end;
static struct ckpt_supervise_clock *backstop_clock;

static void on_signal(int sig)
{
	if (sig == SIGTERM)
		told_to_end = 1;
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigaction(sig, &action, NULL);
}

/* Descriptors 0 to 2 exist, whatever slurmd left open: no other file may come to lie there. */
static void hold_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int64_t backstop_us(int64_t deadline_ns)
{
	return (deadline_ns - ckpt_frame_now_ns()) / 1000 + BACKSTOP_MS * 1000;
}

static void arm_backstop(int64_t deadline_ns)
{
	int64_t left_us = backstop_us(deadline_ns);
	struct itimerval timer = { 0 };

	if (left_us < 1)
		left_us = 1;
	timer.it_value.tv_sec = left_us / 1000000;
	timer.it_value.tv_usec = left_us % 1000000;
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Calls nothing but the clock and the timer, which are the kernel's. */
static void on_alarm(int sig)
{
	int64_t deadline_ns = backstop_clock ? atomic_load(&backstop_clock->deadline_ns) : 0;
	int was = errno;

	(void)sig;
	if (backstop_us(deadline_ns) <= 0)
		_exit(0);
	arm_backstop(deadline_ns);
	errno = was;
}

/* SIGCHLD and SIGTERM arrive only inside ppoll(), whose mask is *@ret_open; SIGALRM at any time,
 * whatever the caller had blocked. */
static void take_signals(sigset_t *ret_open)
{
	const struct sigaction alarm = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	sigset_t block;

	handle(SIGCHLD, on_signal);
	handle(SIGTERM, on_signal);
	sigaction(SIGALRM, &alarm, NULL);
	handle(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_SETMASK, &block, NULL);
	sigemptyset(ret_open);
}

int64_t ckpt_supervise_grant(struct ckpt_supervise_clock *clock, int64_t budget_ms)
{
	if (budget_ms < 0)
		budget_ms = 0;
	if (budget_ms > CKPT_SUPERVISE_MAX_MS)
		budget_ms = CKPT_SUPERVISE_MAX_MS;
	atomic_store(&clock->deadline_ns,
		     clock->begin_ns + (budget_ms + CKPT_SUPERVISE_MARGIN_MS) * MS_NS);
	return clock->begin_ns + budget_ms * MS_NS;
}

/* The worker's life, up to its own _exit(). */
static _Noreturn void be_worker(pid_t parent, int sock, ckpt_supervise_fn *work, void *arg,
				struct ckpt_supervise_clock *clock)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || null < 0)
		_exit(1);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null, fd) < 0)
			_exit(1);
	close(null);
	ckpt_log_to_socket(sock);
	handle(SIGCHLD, SIG_DFL);
	handle(SIGTERM, SIG_DFL);
	handle(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	work(clock, arg);
	_exit(0);
}

/* Milliseconds until @deadline_ns, rounded up, at least 0. */
static int ms_until(int64_t deadline_ns)
{
	int64_t left = deadline_ns - ckpt_frame_now_ns();

	return left <= 0 ? 0 : (int)((left + MS_NS - 1) / MS_NS);
}

static void nap(int sock, int ms, const sigset_t *open_mask)
{
	struct pollfd poll_fd = { .fd = sock, .events = POLLIN };
	struct timespec wait = { ms / 1000, (long)(ms % 1000) * MS_NS };

	ppoll(&poll_fd, 1, &wait, open_mask);
}

/* Waits for @pid until its deadline, relaying its lines. True when it has ended; *@ret_status says
 * how. */
static bool watch(pid_t pid, int sock, struct ckpt_supervise_clock *clock,
		  const sigset_t *open_mask, int *ret_status)
{
	for (;;) {
		int64_t deadline = atomic_load(&clock->deadline_ns);
		int left = ms_until(deadline);
		pid_t ended = waitpid(pid, ret_status, WNOHANG);

		if (sock >= 0 && ckpt_log_relay(sock) == 0)
			sock = -1; /* closed by a worker on its way out */
		if (ended == pid)
			return true;
		if (ended < 0 || left == 0 || told_to_end)
			return false;
		arm_backstop(deadline);
		nap(sock, left, open_mask);
	}
}

/* Kills the worker and waits a little for it. */
static void put_down(pid_t pid, const sigset_t *open_mask)
{
	int64_t until = ckpt_frame_now_ns() + KILL_MS * MS_NS;
	int status, left;

	kill(pid, SIGKILL);
	while ((left = ms_until(until)) > 0) {
		if (waitpid(pid, &status, WNOHANG) != 0)
			return;
		nap(-1, left, open_mask);
	}
	ckpt_log(LOG_ERR, "the worker is stuck in the kernel: left behind");
}

static void tell_end(int status)
{
	if (WIFSIGNALED(status))
		ckpt_log(LOG_ERR, "the worker died of signal %d: nothing further is done",
			 WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		ckpt_log(LOG_ERR, "the worker ended with code %d", WEXITSTATUS(status));
}

static void follow(pid_t pid, int sock, struct ckpt_supervise_clock *clock,
		   const sigset_t *open_mask)
{
	int status = 0;

	if (watch(pid, sock, clock, open_mask, &status)) {
		tell_end(status);
	} else {
		ckpt_log(LOG_WARNING, told_to_end ? "told to end: the worker is killed"
						  : "out of time: the worker is killed");
		put_down(pid, open_mask);
	}
	if (!ckpt_strays_kill(ckpt_frame_now_ns() + KILL_MS * MS_NS))
		ckpt_log(LOG_WARNING, "descendants of the agent are still there");
}

void ckpt_supervise(ckpt_supervise_fn *work, void *arg)
{
	struct ckpt_supervise_clock *clock = mmap(NULL, sizeof(*clock), PROT_READ | PROT_WRITE,
						  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t begin_ns = ckpt_frame_now_ns();
	pid_t parent = getpid(), pid;
	sigset_t open_mask;
	int pair[2];

	take_signals(&open_mask);
	arm_backstop(begin_ns + CKPT_SUPERVISE_FIRST_MS * MS_NS); /* any line may block */
	hold_stdio();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (clock == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		ckpt_log(LOG_ERR, "cannot start a worker: %s", strerror(errno));
		return;
	}
	clock->begin_ns = begin_ns;
	atomic_store(&clock->deadline_ns, begin_ns + CKPT_SUPERVISE_FIRST_MS * MS_NS);
	backstop_clock = clock;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		be_worker(parent, pair[1], work, arg, clock);
	}
	close(pair[1]);
	if (pid < 0)
		ckpt_log(LOG_ERR, "cannot start a worker: %s", strerror(errno));
	else
		follow(pid, pair[0], clock, &open_mask);
	close(pair[0]);
}
