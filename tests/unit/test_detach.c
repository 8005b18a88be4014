/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program that is nobody's child: what it is given, and that it learns of the end of its starter.
 */
#include "wire/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* What it wrote; waits for it up to 5 s. */
static char *answer(const struct scratch *s)
{
	const struct timespec nap = { .tv_nsec = 10000000 };

	for (int i = 0; i < 500 && !scratch_has(s->fd, "out"); i++)
		nanosleep(&nap, NULL);
	return scratch_get(s->fd, "out");
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
		execl("/bin/sleep", "sleep", "1", NULL);
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
	/* the pid is told by the pidfd's own words */
	lifeline_of(*state, "sleep 0.5; pid=$(sed -n 's/^Pid:[[:space:]]*//p' /proc/$$/fdinfo/3); "
			    "cat /proc/$pid/comm; while grep -qs 'State:.[RSD]' /proc/$pid/status; "
			    "do sleep 0.1; done; "
			    "grep -q 'Pid:.-1' /proc/$$/fdinfo/3 || grep -q 'State:.Z' "
			    "/proc/$pid/status && echo ended");
}

static void test_detach__ended(void **state)
{
	struct timespec nap = { .tv_nsec = 100000000 };
	pid_t pid = fork();
	char path[32];
	int fd;

	(void)state;
	if (pid == 0) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY); /* as on kernels without pidfd_open(2) */
	assert_true(fd >= 0);
	assert_false(ckpt_lifeline_ended(fd, 0));
	kill(pid, SIGKILL);
	nanosleep(&nap, NULL);
	assert_true(ckpt_lifeline_ended(fd, 5000)); /* a zombie */
	waitpid(pid, NULL, 0);
	assert_true(ckpt_lifeline_ended(fd, 5000));
	close(fd);
	assert_true(ckpt_lifeline_ended(fd, 5000)); /* no descriptor at all */
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
		scratch_test(test_detach__lifeline),
		cmocka_unit_test(test_detach__ended),
		scratch_test(test_detach__no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
