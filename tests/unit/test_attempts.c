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
#include <time.h>
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

/* A program keeps what was there under another name: it stays another line of work. */
static void test_attempts__a_renamed_foreign_one_stays_foreign(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "model_last.pt", 9, 900);
	attempt_put(dir, "ckpt-1.pt", 1, 100);
	attempt_make(dir, 0, "step:100", &d);
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(renameat(dir->fd, "model_last.pt", dir->fd, "model_last.pt.bak"), 0);
	attempt_put(dir, "model_last.pt", 2, 200);
	attempt_make(dir, 1, "step:100", &d);
	assert_string_equal(d.tag, "model_last.pt");
}

/* The run began at one last.ckpt of two: the other folder's is not it. */
static void test_attempts__the_base_is_a_file_and_not_a_name(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char pin[128];

	attempt_put(dir, "run_a/last.ckpt", 1, 100);
	attempt_put(dir, "run_b/last.ckpt", 9, 900);
	snprintf(pin, sizeof(pin), "%s/run_a/last.ckpt", dir->path);
	attempt_make(dir, 0, pin, &d);
	attempt_make(dir, 1, pin, &d);
	assert_string_equal(d.path, pin);
}

/* A base without any position cannot be compared, and is ours all the same, by each of its names.
 */
static void test_attempts__a_base_without_position_is_ours(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "model_last.pt", -1, -1);
	attempt_put(dir, "model_best.pt", 9, 900);
	assert_int_equal(linkat(dir->fd, "model_last.pt", dir->fd, "final.pt", 0), 0);
	attempt_make(dir, 0, "name:model_last.pt", &d);
	attempt_make(dir, 1, "auto", &d);
	assert_string_equal(d.tag, "final.pt");
	assert_int_equal(unlinkat(dir->fd, "final.pt", 0), 0);
	attempt_make(dir, 2, "auto", &d);
	assert_string_equal(d.tag, "model_last.pt");
}

/* The age of @name in @dir, in seconds before now. */
static void aged(const struct scratch *dir, const char *name, long seconds)
{
	struct timespec times[2] = { { 0 } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec -= seconds;
	times[0] = times[1];
	assert_int_equal(utimensat(dir->fd, name, times, 0), 0);
}

/* A folder of exports is the newest run folder, and holds nothing to go on from. */
static void test_attempts__exported_weights_never_before_a_full_one(void **state)
{
	static const struct torch_synthetic weights = { .epoch = 2,
							.step = 20,
							.weights_only = true };
	struct scratch *dir = *state;
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	aged(dir, "ckpt-1.pt", 100);
	assert_int_equal(mkdirat(dir->fd, "export", 0777), 0);
	torch_synthetic_write(dir->fd, "export/ckpt-2.pt", &weights);
	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.mode, "resume");
	assert_string_equal(d.tag, "ckpt-1.pt");
	assert_int_equal(unlinkat(dir->fd, "ckpt-1.pt", 0), 0);
	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.mode, "finetune");
}

/* Run directories are searched as one: what was touched last in one is not ahead of the other. */
static void test_attempts__run_directories_are_searched_as_one(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;
	char dirs[160];

	attempt_put(dir, "a/ckpt-5.pt", 5, 50);
	attempt_put(dir, "b/ckpt-9.pt", 9, 90);
	aged(dir, "b/ckpt-9.pt", 100);
	snprintf(dirs, sizeof(dirs), "%s/a:%s/b", dir->path, dir->path);
	attempt_in(dir, 0, dirs, &d);
	assert_string_equal(d.tag, "ckpt-9.pt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_attempts__dangling_run_directory_is_no_fresh_start),
		scratch_test(test_attempts__dangling_state_is_no_fresh_start),
		scratch_test(test_attempts__a_renamed_foreign_one_stays_foreign),
		scratch_test(test_attempts__the_base_is_a_file_and_not_a_name),
		scratch_test(test_attempts__a_base_without_position_is_ours),
		scratch_test(test_attempts__exported_weights_never_before_a_full_one),
		scratch_test(test_attempts__run_directories_are_searched_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
