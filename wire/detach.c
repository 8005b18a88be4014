/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See detach.h. Two forks: the one in between ends at once and is waited for, so that its child
 * belongs to init (or to a subreaper above us) before the caller goes on.
 */
#include "wire/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/launch_child.h"
#include "wire/text.h"

#define SLICE_MS 50 /* between two looks at a lifeline that cannot be polled */

/* All that the children need, made before the forks. */
struct start {
	char *argv[2];
	char **envp;
	int lifeline, null_fd; /* above the descriptors that are arranged */
	int held;	       /* the same; -1: none */
	int last_fd;
};

static void start_done(struct start *s)
{
	ckpt_child_env_free(s->envp);
	if (s->lifeline >= 0)
		close(s->lifeline);
	if (s->null_fd >= 0)
		close(s->null_fd);
	if (s->held >= 0)
		close(s->held);
}

static int open_lifeline(pid_t task)
{
	char path[32];
	int fd = -1;

#ifdef SYS_pidfd_open
	fd = (int)syscall(SYS_pidfd_open, task, 0);
#endif
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d", (int)task);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int start_build(struct start *s, const struct ckpt_detach *how,
		       const struct ckpt_request *req)
{
	_cleanup_close_ int lifeline = open_lifeline(how->task ? how->task : getpid());
	_cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (lifeline < 0)
		return lifeline;
	if (null_fd < 0)
		return -errno;
	s->argv[0] = (char *)how->program;
	s->last_fd = ckpt_child_last_fd();
	s->lifeline = ckpt_child_raise_fd(lifeline, CKPT_DETACH_HELD_FD + 1);
	if (s->lifeline < 0)
		return s->lifeline;
	s->null_fd = ckpt_child_raise_fd(null_fd, CKPT_DETACH_HELD_FD + 1);
	if (s->null_fd < 0)
		return s->null_fd;
	if (how->held > 0)
		s->held = ckpt_child_raise_fd(how->held, CKPT_DETACH_HELD_FD + 1);
	if (how->held > 0 && s->held < 0)
		return s->held;
	s->envp = ckpt_child_env(req, how->more);
	return s->envp ? 0 : -ENOMEM;
}

/* From here on in the children: async-signal-safe calls only. */

__attribute__((noreturn)) static void become(const struct start *s)
{
	ckpt_child_reset_signals();
	if (dup2(s->null_fd, STDIN_FILENO) < 0 || dup2(s->null_fd, STDOUT_FILENO) < 0 ||
	    dup2(s->lifeline, CKPT_DETACH_LIFELINE_FD) < 0 || chdir("/") < 0 ||
	    (s->held >= 0 && dup2(s->held, CKPT_DETACH_HELD_FD) < 0))
		_exit(127);
	ckpt_child_close_from(CKPT_DETACH_HELD_FD + (s->held >= 0), s->last_fd);
	execve(s->argv[0], s->argv, s->envp);
	_exit(127);
}

/* The child in between: ends with the errno of its own fork. */
__attribute__((noreturn)) static void fork_again(const struct start *s)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid == 0)
		become(s);
	_exit(pid < 0 ? errno : 0);
}

static int reap(pid_t pid)
{
	int status = 0;
	pid_t r;

	do
		r = waitpid(pid, &status, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0) /* another waiter of this process took it */
		return errno == ECHILD ? 0 : -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int ckpt_detach(const struct ckpt_detach *how, const struct ckpt_request *req,
		struct ckpt_error *err)
{
	_cleanup_(start_done) struct start s = { .lifeline = -1, .null_fd = -1, .held = -1 };
	pid_t pid;
	int r;

	if (access(how->program, X_OK) < 0)
		return ckpt_fail(err, -errno, "%s cannot be run: %s", CKPT_QUOTE(how->program),
				 strerror(errno));
	r = start_build(&s, how, req);
	if (r < 0)
		return ckpt_fail(err, r, "preparing %s: %s", CKPT_QUOTE(how->program),
				 strerror(-r));
	pid = fork();
	if (pid == 0)
		fork_again(&s);
	r = pid < 0 ? -errno : reap(pid);
	if (r < 0)
		return ckpt_fail(err, r, "starting %s: %s", CKPT_QUOTE(how->program), strerror(-r));
	return 0;
}

/* By /proc/PID: the directory answers for that process alone, whoever has its number later. */
static bool has_ended(int procdir)
{
	_cleanup_close_ int fd = openat(procdir, "stat", O_RDONLY | O_CLOEXEC);
	char text[512];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *state;

	if (n <= 0)
		return true;
	text[n] = '\0';
	state = strrchr(text, ')'); /* the name before it may hold anything */
	return !state || !state[1] || strchr("ZXx", state[2]) != NULL;
}

bool ckpt_lifeline_ended(int lifeline, int wait_ms)
{
	struct pollfd p = { .fd = lifeline, .events = POLLIN };
	struct stat st;

	if (fstat(lifeline, &st) < 0)
		return true;
	if (!S_ISDIR(st.st_mode))
		return poll(&p, 1, wait_ms) > 0;
	for (; !has_ended(lifeline); wait_ms -= SLICE_MS) {
		if (wait_ms <= 0)
			return false;
		poll(NULL, 0, wait_ms < SLICE_MS ? wait_ms : SLICE_MS);
	}
	return true;
}
