/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run directory's lock: held against others, let go by close and by death.
 */
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

#include "core/base/ctx.h"
#include "core/record/lock.h"
#include "core/record/state.h"
#include "tests/unit/support/scratch.h"

/* A process that takes the lock, says so, and keeps it until it is killed. */
static pid_t start_holder(const struct scratch *s)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ckpt_state_lock(s->fd, 0, NULL) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_lock__second_taker_is_told_at_once(void **state)
{
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };
	int first = ckpt_state_lock(s->fd, 0, NULL);
	int64_t start = ckpt_ctx_now(NULL);

	assert_true(first >= 0);
	assert_int_equal(ckpt_state_lock(s->fd, 0, &err), -EAGAIN);
	assert_non_null(strstr(err.text, "another"));
	assert_true(ckpt_ctx_now(NULL) - start < 1000000000);
	close(first);
	first = ckpt_state_lock(s->fd, 0, NULL);
	assert_true(first >= 0);
	close(first);
}

static void test_lock__waits_as_long_as_told(void **state)
{
	struct scratch *s = *state;
	pid_t holder = start_holder(s);
	int64_t start = ckpt_ctx_now(NULL), ms;

	assert_int_equal(ckpt_state_lock(s->fd, 200, NULL), -EAGAIN);
	ms = (ckpt_ctx_now(NULL) - start) / 1000000;
	assert_in_range(ms, 200, 5000);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}

static void test_lock__dies_with_its_holder(void **state)
{
	struct scratch *s = *state;
	pid_t holder = start_holder(s);
	int fd;

	assert_int_equal(ckpt_state_lock(s->fd, 0, NULL), -EAGAIN);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	fd = ckpt_state_lock(s->fd, 0, NULL);
	assert_true(fd >= 0);
	close(fd);
}

static void test_lock__is_taken_when_it_comes_free_while_waiting(void **state)
{
	struct scratch *s = *state;
	pid_t holder = start_holder(s), killer = fork();
	int fd;

	assert_true(killer >= 0);
	if (killer == 0) {
		usleep(150000);
		kill(holder, SIGKILL);
		_exit(0);
	}
	fd = ckpt_state_lock(s->fd, 10000, NULL);
	assert_true(fd >= 0);
	close(fd);
	waitpid(killer, NULL, 0);
	waitpid(holder, NULL, 0);
}

static void test_lock__another_descriptors_close_keeps_it(void **state)
{
	struct scratch *s = *state;
	int first = ckpt_state_lock(s->fd, 0, NULL);
	int other = openat(s->fd, CKPT_LOCK, O_RDWR | O_CLOEXEC);

	assert_true(first >= 0 && other >= 0);
	close(other); /* a process-wide lock would be gone now */
	assert_int_equal(ckpt_state_lock(s->fd, 0, NULL), -EAGAIN);
	close(first);
}

static void test_lock__links_are_not_followed(void **state)
{
	struct scratch *s = *state;

	assert_int_equal(symlinkat("victim", s->fd, CKPT_LOCK), 0);
	assert_int_equal(ckpt_state_lock(s->fd, 0, NULL), -ELOOP);
	assert_null(scratch_get(s->fd, "victim"));
}

static void test_lock__state_dir_is_made_once_private_and_no_link(void **state)
{
	struct scratch *s = *state;
	struct stat st;
	int fd;

	assert_int_equal(ckpt_state_open(s->fd, NULL), -ENOENT);
	assert_int_equal(scratch_count(s->fd), 0);
	fd = ckpt_state_make(s->fd, NULL);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	close(fd);
	fd = ckpt_state_make(s->fd, NULL);
	assert_true(fd >= 0);
	close(fd);
	fd = ckpt_state_open(s->fd, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(unlinkat(s->fd, CKPT_STATE_DIR, AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat("/tmp", s->fd, CKPT_STATE_DIR), 0);
	assert_true(ckpt_state_open(s->fd, NULL) < 0);
	assert_true(ckpt_state_make(s->fd, NULL) < 0);
	assert_int_equal(unlinkat(s->fd, CKPT_STATE_DIR, 0), 0);
	scratch_put(s->fd, CKPT_STATE_DIR, "a file");
	assert_int_equal(ckpt_state_make(s->fd, NULL), -ENOTDIR);
}

static void test_lock__read_only_directory_says_why(void **state)
{
	struct scratch *s = *state;
	struct ckpt_error err = { 0 };
	int made, locked;

	if (geteuid() != 0) {
		print_message("needs root to become somebody else\n");
		skip();
	}
	assert_int_equal(fchmod(s->fd, 0555), 0);
	assert_int_equal(seteuid(65534), 0);
	made = ckpt_state_make(s->fd, &err);
	locked = ckpt_state_lock(s->fd, 0, NULL);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(made, -EACCES);
	assert_int_equal(locked, -EACCES);
	assert_non_null(strstr(err.text, "Permission"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_lock__second_taker_is_told_at_once),
		scratch_test(test_lock__waits_as_long_as_told),
		scratch_test(test_lock__dies_with_its_holder),
		scratch_test(test_lock__is_taken_when_it_comes_free_while_waiting),
		scratch_test(test_lock__another_descriptors_close_keeps_it),
		scratch_test(test_lock__links_are_not_followed),
		scratch_test(test_lock__state_dir_is_made_once_private_and_no_link),
		scratch_test(test_lock__read_only_directory_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
