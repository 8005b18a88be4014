/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See launch.h. The child stays in the caller's process group and session, so that whoever signals
 * the caller reaches it; only its pid is ever killed. What it leaves behind cannot hold us: the
 * answer is read by length, its end is polled for, and neither is waited for beyond its time.
 */
#include "wire/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/frame.h"
#include "wire/launch_child.h"
#include "wire/text.h"

#define SLICE_MS 50		     /* between two looks whether the agent still lives */
#define FRAME_NS (2 * 1000000000LL)  /* a frame that has begun is whole by then */
#define LINGER_NS (1 * 1000000000LL) /* from the answer (or its lack) to the exit */
#define KILLED_NS (100 * 1000000LL)  /* from SIGKILL to the exit; then it is abandoned */
#define NAP_NS (2 * 1000000L)	     /* between two looks at a dying child */

/* Everything that the child needs, built before the fork. */
struct start {
	const struct ckpt_launch *how;
	char *argv[4];
	char **envp;
	int answer_fd; /* >= 4, the write end */
	int null_fd;   /* >= 4, or -1 where stdio is inherited */
	int last_fd;   /* highest descriptor that may be open */
};

struct child {
	pid_t pid;
	bool gone;
	int status;
};

static void start_done(struct start *s)
{
	ckpt_child_env_free(s->envp);
	if (s->answer_fd >= 0)
		close(s->answer_fd);
	if (s->null_fd >= 0)
		close(s->null_fd);
}

/* Opens the pipe; the read end goes to *@ret_read, the write end into @s. */
static int open_pipe(struct start *s, int *ret_read)
{
	_cleanup_close_ int rd = -1, wr = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rd = fds[0];
	wr = fds[1];
	s->answer_fd = ckpt_child_raise_fd(wr, CKPT_LAUNCH_ANSWER_FD + 1);
	if (s->answer_fd < 0)
		return s->answer_fd;
	*ret_read = ckpt_take_fd(&rd);
	return 0;
}

static int open_null(struct start *s)
{
	_cleanup_close_ int fd = -1;

	if (!s->how->confined)
		return 0;
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	s->null_fd = ckpt_child_raise_fd(fd, CKPT_LAUNCH_ANSWER_FD + 1);
	return s->null_fd < 0 ? s->null_fd : 0;
}

static int start_build(struct start *s, const struct ckpt_request *req, int *ret_read)
{
	int r;

	s->argv[0] = (char *)s->how->agent;
	s->argv[1] = (char *)s->how->op;
	s->argv[2] = s->how->confined ? (char *)"--no-exec" : NULL;
	s->last_fd = ckpt_child_last_fd();
	s->envp = ckpt_child_env(req, NULL);
	r = s->envp ? open_null(s) : -ENOMEM;
	return r < 0 ? r : open_pipe(s, ret_read);
}

/* From here to run_child(): async-signal-safe calls only. */

static bool arrange_stdio(const struct start *s)
{
	if (dup2(s->answer_fd, CKPT_LAUNCH_ANSWER_FD) < 0)
		return false;
	if (!s->how->confined)
		return true;
	for (int fd = 0; fd < 3; fd++)
		if (dup2(s->null_fd, fd) < 0)
			return false;
	return chdir("/") == 0;
}

__attribute__((noreturn)) static void run_child(const struct start *s)
{
	ckpt_child_reset_signals();
	if (!arrange_stdio(s))
		_exit(127);
	if (s->how->prepare && s->how->prepare(s->how->arg) != 0)
		_exit(127);
	ckpt_child_close_from(CKPT_LAUNCH_ANSWER_FD + 1, s->last_fd);
	execve(s->argv[0], s->argv, s->envp);
	_exit(127);
}

/* True once @c is gone; another waiter of the process may have taken its status. */
static bool is_gone(struct child *c)
{
	pid_t r;

	if (c->gone)
		return true;
	do
		r = waitpid(c->pid, &c->status, WNOHANG);
	while (r < 0 && errno == EINTR);
	c->gone = r != 0;
	return c->gone;
}

/* Waits for the end of @c until @until_ns; true once it is gone. */
static bool wait_gone(struct child *c, int64_t until_ns)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	while (!is_gone(c)) {
		if (ckpt_frame_now_ns() >= until_ns)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static int64_t earlier(int64_t deadline_ns, int64_t other_ns)
{
	return deadline_ns && deadline_ns < other_ns ? deadline_ns : other_ns;
}

/*
 * Waits until @fd has something to read, the agent is gone or the deadline over. A descendant may
 * keep the pipe open for ever, so the agent's death ends the wait too.
 */
static int wait_answer(int fd, struct child *c, int64_t deadline_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		bool gone = is_gone(c);
		int64_t left = deadline_ns ? deadline_ns - ckpt_frame_now_ns() : INT64_MAX;
		int ms = gone || left <= 0 ? 0 : SLICE_MS;
		int n;

		if (ms && left < SLICE_MS * 1000000LL)
			ms = (int)((left - 1) / 1000000) + 1;
		n = poll(&p, 1, ms);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && gone)
			return -EPIPE;
		if (n == 0 && left <= 0)
			return -ETIMEDOUT;
	}
}

static long read_answer(int fd, struct child *c, const struct ckpt_launch *how, char *buf)
{
	int r = wait_answer(fd, c, how->deadline_ns);

	if (r < 0)
		return r;
	return ckpt_frame_read(fd, buf, earlier(how->deadline_ns, ckpt_frame_now_ns() + FRAME_NS));
}

/* Sees @c off: gives it its time to exit (where @linger), kills it, and says how it ended. */
static void see_off(struct child *c, const struct ckpt_launch *how, bool linger,
		    struct ckpt_launch_end *end)
{
	int64_t until = linger ? earlier(how->deadline_ns, ckpt_frame_now_ns() + LINGER_NS) : 0;

	if (!wait_gone(c, until)) {
		end->timed_out = true;
		kill(c->pid, SIGKILL);
		wait_gone(c, ckpt_frame_now_ns() + KILLED_NS);
	}
	if (!c->gone)
		return;
	if (WIFSIGNALED(c->status))
		end->signal = WTERMSIG(c->status);
	else if (WIFEXITED(c->status))
		end->exit_code = WEXITSTATUS(c->status);
}

static int decode(const char *buf, size_t len, struct ckpt_decision *ret, struct ckpt_error *err)
{
	struct ckpt_error why = { 0 };
	struct ckpt_decision d = { 0 };
	int r = ckpt_fields_decode(&ckpt_decision_fields, &d, buf, len, &why);

	if (r == 0)
		r = ckpt_decision_check(&d, &why);
	if (r < 0)
		return ckpt_fail(err, -EBADMSG, "the agent answered nonsense: %.900s", why.text);
	*ret = d;
	return 0;
}

/* The sentence for an agent that gave no usable frame. */
static int no_answer(long r, const struct ckpt_launch *how, const struct ckpt_launch_end *end,
		     struct ckpt_error *err)
{
	int code = (int)r;

	if (code == -ETIMEDOUT)
		return ckpt_fail(err, code, "the agent (%s) gave no answer in time", how->op);
	if (code == -EBADMSG)
		return ckpt_fail(err, code, "the agent (%s) answered with no frame", how->op);
	if (code != -EPIPE)
		return ckpt_fail(err, code, "reading the agent's answer: %s", strerror(-code));
	if (end->signal)
		return ckpt_fail(err, code, "the agent (%s) was ended by signal %d", how->op,
				 end->signal);
	if (end->exit_code == 127)
		return ckpt_fail(err, code, "the agent %s could not be started",
				 CKPT_QUOTE(how->agent));
	return ckpt_fail(err, code, "the agent (%s) ended with code %d and no answer", how->op,
			 end->exit_code);
}

int ckpt_launch_agent(const struct ckpt_launch *how, const struct ckpt_request *req,
		      struct ckpt_decision *ret, struct ckpt_launch_end *ret_end,
		      struct ckpt_error *err)
{
	_cleanup_(start_done) struct start s = { .how = how, .answer_fd = -1, .null_fd = -1 };
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *buf = malloc(CKPT_FRAME_MAX);
	struct child c = { 0 };
	long r;

	memset(ret_end, 0, sizeof(*ret_end));
	r = buf ? start_build(&s, req, &fd) : -ENOMEM;
	if (r < 0)
		return ckpt_fail(err, (int)r, "preparing the agent: %s", strerror((int)-r));
	c.pid = fork();
	if (c.pid < 0)
		return ckpt_fail(err, -errno, "starting the agent: %s", strerror(errno));
	if (c.pid == 0)
		run_child(&s);
	close(ckpt_take_fd(&s.answer_fd));
	r = read_answer(fd, &c, how, buf);
	see_off(&c, how, r >= 0 || r == -EPIPE, ret_end);
	if (r >= 0)
		ret_end->timed_out =
			false; /* whole and in time: what it did afterwards is no matter */
	if (r < 0)
		return no_answer(r, how, ret_end, err);
	return decode(buf, (size_t)r, ret, err);
}
