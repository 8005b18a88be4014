/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/temporary.h: what a killed writer left goes, whatever else is there stays.
 */
#include "core/base/temporary.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "tests/unit/support/scratch.h"

/* A process that made a temporary for @name and was killed amid its work; or lives on. */
static pid_t writer(const struct scratch *dir, const char *name, bool killed)
{
	char tmp[CKPT_TEMPORARY_NAME];
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (ckpt_temporary_name(name, tmp) == 0)
			scratch_put(dir->fd, tmp, "half");
		close(fds[1]);
		close(fds[0]);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], tmp, 1), 0); /* it is there */
	close(fds[0]);
	if (killed) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return pid;
}

static void test_temporary__of_the_killed_goes(void **state)
{
	const struct scratch *dir = *state;
	pid_t living;

	scratch_put(dir->fd, "fresh", "");
	writer(dir, "a", true);
	writer(dir, "b.ckpt-c", true);
	living = writer(dir, "a", false);
	assert_int_equal(scratch_count(dir->fd), 4);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 2);
	assert_int_equal(scratch_count(dir->fd), 2);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 0);
	kill(living, SIGKILL);
	waitpid(living, NULL, 0);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 1);
	assert_true(scratch_has(dir->fd, "fresh"));
}

static void set_age(const struct scratch *dir, const char *name, int64_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = 2000000000 - seconds },
					   { .tv_sec = 2000000000 - seconds } };

	assert_int_equal(utimensat(dir->fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* Of another machine, boot or namespace nothing is known but the age, by the file system's clock.
 */
static void test_temporary__of_elsewhere_by_age(void **state)
{
	static const char elsewhere[] = ".a.ckpt-00000001-2147483647-abcd.tmp";
	const struct scratch *dir = *state;

	scratch_put(dir->fd, "fresh", "");
	scratch_put(dir->fd, elsewhere, "half");
	set_age(dir, "fresh", 0);
	set_age(dir, elsewhere, 24 * 3600);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 0);
	set_age(dir, elsewhere, 24 * 3600 + 1);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "gone"), 0);
	assert_int_equal(ckpt_temporary_sweep(-1, "fresh"), 0);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 1);
	assert_int_equal(scratch_count(dir->fd), 1);
}

static void test_temporary__others_stay(void **state)
{
	static const char *const names[] = {
		"a.ckpt-00000001-77-abcd.tmp",
		".a.ckpt-00000001-77-abcd",
		".a.ckpt-00000001-77-abcd.tmp.pt",
		".a.ckpt-1-77-abcd.tmp",
		".a.ckpt-00000001-077-abcd.tmp",
		".a.ckpt-00000001-0-abcd.tmp",
		".a.ckpt-00000001--7-abcd.tmp",
		".a.ckpt- 0000001-77-abcd.tmp",
		".a.ckpt-00000001-77-abcde.tmp",
		".a.ckpt-0000000A-77-abcd.tmp",
		".a.ckpt-.tmp",
		".a.abcdef.tmp",
		".tmp",
		".ckpt-resume",
	};
	static const char wanted[] = ".x.ckpt-00000001-77-abcd.tmp";
	const struct scratch *dir = *state;
	int n = sizeof(names) / sizeof(names[0]);

	scratch_put(dir->fd, "fresh", "");
	set_age(dir, "fresh", 0);
	for (int i = 0; i < n; i++) {
		scratch_put(dir->fd, names[i], "mine");
		set_age(dir, names[i], 1000000);
	}
	assert_int_equal(symlinkat("fresh", dir->fd, wanted), 0);
	set_age(dir, wanted, 1000000);
	assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 0); /* a link is none */
	assert_int_equal(unlinkat(dir->fd, wanted, 0), 0);
	if (geteuid() == 0) {
		scratch_put(dir->fd, wanted, "somebody's");
		assert_int_equal(fchownat(dir->fd, wanted, 12345, 12345, 0), 0);
		set_age(dir, wanted, 1000000);
		assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 0);
		assert_int_equal(fchownat(dir->fd, wanted, 0, 0, 0), 0);
		assert_int_equal(ckpt_temporary_sweep(dir->fd, "fresh"), 1);
	}
	assert_int_equal(scratch_count(dir->fd), n + 1);
}

/* The name fits whatever it is for, and is hidden. */
static void test_temporary__names(void **state)
{
	char name[256], one[CKPT_TEMPORARY_NAME], two[CKPT_TEMPORARY_NAME], pid[16];

	(void)state;
	memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(ckpt_temporary_name(name, one), 0);
	assert_true(strlen(one) < 255);
	assert_int_equal(strncmp(one, ".nnn", 4), 0);
	snprintf(pid, sizeof(pid), "-%d-", (int)getpid());
	assert_non_null(strstr(one, pid));
	assert_null(strstr(one, "-00000000-")); /* there is a boot to be told */
	assert_string_equal(one + strlen(one) - 4, ".tmp");
	for (int i = 0; i < 8; i++) {
		assert_int_equal(ckpt_temporary_name(name, two), 0);
		if (strcmp(one, two) != 0)
			return;
	}
	fail_msg("always the same name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_temporary__of_the_killed_goes),
		scratch_test(test_temporary__of_elsewhere_by_age),
		scratch_test(test_temporary__others_stay),
		cmocka_unit_test(test_temporary__names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
