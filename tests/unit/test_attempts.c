/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts of one run after another, where something got lost or somebody else was there between
 * them: file systems, marks, other jobs, renamed files.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

/* Decides and settles attempt @number with run directories @dirs, relative to @dir. */
static void attempt_in(const struct scratch *dir, int64_t number, const char *dirs,
		       struct ckpt_decision *ret)
{
	struct ckpt_request *req = attempt_request(dir, number);

	ATTEMPT_SET(req->dirs, dirs);
	attempt_settle(req, ret);
	free(req);
}

/* A run directory that is a link into a file system that is not there. */
static void test_attempts__dangling_run_directory_is_no_fresh_start(void **state)
{
	static const char *const dirs[] = { "ck", "ck/sub" };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	assert_int_equal(symlinkat("gone/scratch", dir->fd, "ck"), 0);
	for (int64_t number = 0; number < 2; number++) {
		for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
			attempt_in(dir, number, dirs[i], &d);
			assert_string_equal(d.mode, "refused");
			assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
			assert_non_null(strstr(d.line, "mounted"));
		}
	}
	assert_int_equal(scratch_count(dir->fd), 1);
}

/* The place of --ckpt-state is lost in the same way. */
static void test_attempts__dangling_state_is_no_fresh_start(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 1);
	struct ckpt_decision d;

	assert_int_equal(symlinkat("gone/scratch", dir->fd, "link"), 0);
	snprintf(req->state, sizeof(req->state), "%s/link", dir->path);
	attempt_settle(req, &d);
	assert_string_equal(d.mode, "refused");
	free(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_attempts__dangling_run_directory_is_no_fresh_start),
		scratch_test(test_attempts__dangling_state_is_no_fresh_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
