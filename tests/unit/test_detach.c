/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is nobody's child: what it is given, and that it learns of the end of its starter.
 */
#include "wire/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/support/scratch.h"

static char program[96], out[96];
static struct ckpt_request req;

static void write_program(const struct scratch *s, const char *body)
{
	char text[1024];

	snprintf(program, sizeof(program), "%s/program", s->path);
	snprintf(out, sizeof(out), "%s/out", s->path);
	snprintf(text, sizeof(text), "#!/bin/sh\n{ %s\n} >%s.new\nmv %s.new %s\n", body, out, out,
		 out);
	scratch_put(s->fd, "program", text);
	assert_int_equal(fchmodat(s->fd, "program", 0755, 0), 0);
	ckpt_request_init(&req);
	req.job_id = 42;
	snprintf(req.work_dir, sizeof(req.work_dir), "/w");
}

/* What it wrote; waits for it up to a minute. */
static char *answer(const struct scratch *s)
{
	const struct timespec nap = { .tv_nsec = 10000000 };

	for (int i = 0; i < 6000 && !scratch_has(s->fd, "out"); i++)
		nanosleep(&nap, NULL);
	return scratch_get(s->fd, "out");
}

/* The end that it holds is as number 4 there, and closed when the last of its processes is gone. */
static void test_detach__holds_a_descriptor(void **state)
{
	struct ckpt_detach how = { .program = program };
	struct pollfd end = { .events = POLLIN };
	int fds[2];
	char *text;

	write_program(*state, "[ -e /proc/$$/fd/4 ] && echo held; sleep 0.5 &");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	how.held = fds[1];
	assert_int_equal(ckpt_detach(&how, &req, NULL), 0);
	close(fds[1]);
	end.fd = fds[0];
	text = answer(*state);
	assert_string_equal(text, "held\n");
	free(text);
	assert_int_equal(poll(&end, 1, 200), 0);
	assert_int_equal(poll(&end, 1, 60000), 1);
	assert_true(end.revents & POLLHUP);
	close(fds[0]);
}

/* Nothing of the caller's is there where it asks for nothing. */
static void test_detach__holds_nothing(void **state)
{
	const struct ckpt_detach how = { .program = program };
	int fd = dup2(STDERR_FILENO, CKPT_DETACH_HELD_FD);
	char *text;

	write_program(*state, "[ -e /proc/$$/fd/4 ] || echo none");
	assert_int_equal(fd, CKPT_DETACH_HELD_FD);
	assert_int_equal(ckpt_detach(&how, &req, NULL), 0);
	text = answer(*state);
	assert_string_equal(text, "none\n");
	free(text);
	close(fd);
}

static void test_detach__what_it_is_given(void **state)
{
	static const char *const more[] = { "CKPT_COMPANION_TASK=5", NULL };
	const struct ckpt_detach how = { .program = program, .more = more };
	struct scratch *s = *state;
	char *text, mine[64];

	setenv("CKPT_TEST_SECRET", "x", 1);
	write_program(s, "env; pwd; readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' ';"
			 " awk '{ print \"session\", $6, \"parent\", $4 }' /proc/$$/stat");
	assert_int_equal(ckpt_detach(&how, &req, NULL), 0);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	text = answer(s);
	assert_non_null(text);
	assert_non_null(strstr(text, "CKPT_REQUEST_JOB_ID=42\n"));
	assert_non_null(strstr(text, "CKPT_REQUEST_WORK_DIR=/w\n"));
	assert_non_null(strstr(text, "CKPT_COMPANION_TASK=5\n"));
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "\n/\n/dev/null\n"));
	snprintf(mine, sizeof(mine), "session %d ", (int)getsid(0));
	assert_non_null(strstr(text, "session "));
	assert_null(strstr(text, mine));
	snprintf(mine, sizeof(mine), "parent %d\n", (int)getpid());
	assert_null(strstr(text, mine));
	free(text);
}

static int count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* No signal that the starter ignored or blocked, not its output; to the starter no descriptor. */
static void test_detach__leaves_nothing_of_the_starter(void **state)
{
	const struct ckpt_detach how = { .program = program, .held = STDERR_FILENO };
	struct scratch *s = *state;
	int before;
	sigset_t hup, old;
	char text[512], *got;

	write_program(s, "");
	snprintf(text, sizeof(text),
		 "#!/bin/sh\ntold=$(readlink /proc/$$/fd/0 /proc/$$/fd/1; "
		 "grep -E '^Sig(Blk|Ign)' /proc/$$/status)\n"
		 "echo \"$told\" >%s.new\nmv %s.new %s\n",
		 out, out, out);
	scratch_put(s->fd, "program", text);
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, &old);
	signal(SIGUSR2, SIG_IGN);
	before = count_open();
	assert_int_equal(ckpt_detach(&how, &req, NULL), 0);
	assert_int_equal(count_open(), before);
	signal(SIGUSR2, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	got = answer(s);
	assert_string_equal(got, "/dev/null\n/dev/null\nSigBlk:\t0000000000000000\n"
				 "SigIgn:\t0000000000000000\n");
	free(got);
}

/* The lifeline says nothing while its process lives, through an exec, and ends with it. */
static void lifeline_of(struct scratch *s, const char *body)
{
	const struct ckpt_detach how = { .program = program };
	pid_t pid;
	char *text;

	write_program(s, body);
	pid = fork();
	if (pid == 0) {
		if (ckpt_detach(&how, &req, NULL) < 0)
			_exit(1);
		execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	text = answer(s);
	assert_non_null(text);
	assert_string_equal(text, "sleep\nended\n");
	free(text);
	waitpid(pid, NULL, 0);
}

static void test_detach__lifeline(void **state)
{
	/* the pid is told by the pidfd's own words; what it has become is ended when that was seen
	 */
	lifeline_of(*state, "pid=$(sed -n 's/^Pid:[[:space:]]*//p' /proc/$$/fdinfo/3); "
			    "until grep -x sleep /proc/$pid/comm; do sleep 0.1; done; "
			    "sleep 0.3; grep -q 'State:.[RSD]' /proc/$pid/status || exit; "
			    "kill $pid; while grep -qs 'State:.[RSD]' /proc/$pid/status; "
			    "do sleep 0.1; done; "
			    "grep -q 'Pid:.-1' /proc/$$/fdinfo/3 || grep -q 'State:.Z' "
			    "/proc/$pid/status && echo ended");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As on this kernel, or as on those without pidfd_open(2). */
static int open_process(pid_t pid, bool by_proc)
{
	char path[32];

#ifdef SYS_pidfd_open
	if (!by_proc)
		return (int)syscall(SYS_pidfd_open, pid, 0);
#endif
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return open(path, O_RDONLY | O_DIRECTORY);
}

/* A process that ends @ms after; for ever: 0. */
static pid_t fork_for(int ms)
{
	pid_t pid = fork();

	if (pid == 0) {
		poll(NULL, 0, ms ? ms : -1);
		_exit(0);
	}
	return pid;
}

static void test_detach__ended(void **state)
{
	(void)state;
	for (int by_proc = 0; by_proc < 2; by_proc++) {
		pid_t pid = fork_for(0);
		int fd = open_process(pid, by_proc);
		int64_t begun = now_ms();

		assert_true(fd >= 0);
		assert_false(ckpt_lifeline_ended(fd, 0));
		assert_false(ckpt_lifeline_ended(fd, 120));
		assert_in_range(now_ms() - begun, 100, 30000);
		kill(pid, SIGKILL);
		assert_true(ckpt_lifeline_ended(fd, 60000)); /* a zombie */
		assert_in_range(now_ms() - begun, 100, 30000);
		waitpid(pid, NULL, 0);
		assert_true(ckpt_lifeline_ended(fd, 5000));
		close(fd);
		assert_true(ckpt_lifeline_ended(fd, 5000)); /* no descriptor at all */
	}
}

/* Whoever waits is woken by the end, not by the end of the wait. */
static void test_detach__ends_meanwhile(void **state)
{
	(void)state;
	for (int by_proc = 0; by_proc < 2; by_proc++) {
		pid_t pid = fork_for(200);
		int fd = open_process(pid, by_proc);
		int64_t begun = now_ms();

		assert_true(fd >= 0);
		assert_true(ckpt_lifeline_ended(fd, 60000));
		assert_in_range(now_ms() - begun, 0, 30000);
		waitpid(pid, NULL, 0);
		close(fd);
	}
}

static void test_detach__no_program(void **state)
{
	const struct ckpt_detach missing = { .program = "/nonexistent/ckpt-companion" };
	const struct ckpt_detach how = { .program = program };
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };

	write_program(s, "true");
	assert_int_equal(ckpt_detach(&missing, &req, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/ckpt-companion"));
	assert_int_equal(fchmodat(s->fd, "program", 0644, 0), 0);
	assert_int_equal(ckpt_detach(&how, &req, &err), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_detach__what_it_is_given),
		scratch_test(test_detach__holds_a_descriptor),
		scratch_test(test_detach__holds_nothing),
		scratch_test(test_detach__lifeline),
		cmocka_unit_test(test_detach__ended),
		cmocka_unit_test(test_detach__ends_meanwhile),
		scratch_test(test_detach__leaves_nothing_of_the_starter),
		scratch_test(test_detach__no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
