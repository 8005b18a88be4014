/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end marker of a run, and what a later start makes of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/json.h"
#include "core/record/done.h"
#include "core/record/ledger.h"
#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

static int state_of(const struct scratch *dir)
{
	int fd = ckpt_state_make(dir->fd, NULL);

	assert_true(fd >= 0);
	return fd;
}

static void test_done__comes_back_as_it_was(void **state)
{
	_cleanup_close_ int fd = state_of(*state);
	struct ckpt_done got = { 0 }, put = { .run = "00ff", .job_id = 7, .attempt = 3 };
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };

	assert_int_equal(ckpt_done_load(&ctx, fd, &got, &err), CKPT_STATE_ABSENT);
	assert_int_equal(ckpt_done_remove(fd, &err), CKPT_STATE_ABSENT);
	assert_int_equal(ckpt_done_store(fd, &put, &err), 0);
	assert_int_equal(ckpt_done_load(&ctx, fd, &got, &err), 0);
	assert_string_equal(got.run, "00ff");
	assert_true(got.job_id == 7 && got.attempt == 3);
	assert_int_equal(ckpt_done_remove(fd, &err), 0);
	assert_int_equal(ckpt_done_load(&ctx, fd, &got, &err), CKPT_STATE_ABSENT);
}

static void test_done__torn(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "{\"run\":3}", "{\"run\":\"\"}", "null"
	};
	_cleanup_close_ int fd = state_of(*state);
	struct ckpt_done got = { .job_id = 5 };
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = { 0 };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scratch_put(fd, CKPT_DONE, texts[i]);
		assert_int_equal(ckpt_done_load(&ctx, fd, &got, &err), CKPT_STATE_TORN);
		assert_int_equal(got.job_id, 5);
	}
}

/* Declares the run @run done in @dir; marker and ledger, or one of them. */
static void declare(const struct scratch *dir, const char *run, const char *event, bool marker)
{
	_cleanup_close_ int fd = state_of(dir);
	_cleanup_json_ cJSON *entry = cJSON_CreateObject();
	struct ckpt_done done = { .job_id = ATTEMPT_JOB };

	ATTEMPT_SET(done.run, run);
	if (marker)
		assert_int_equal(ckpt_done_store(fd, &done, NULL), 0);
	cJSON_AddStringToObject(entry, "event", event);
	cJSON_AddStringToObject(entry, "run", run);
	if (*event)
		assert_int_equal(ckpt_ledger_append(fd, entry, NULL), 0);
}

static const char *mode_at(const struct scratch *dir, int64_t attempt, struct ckpt_decision *d)
{
	memset(d, 0, sizeof(*d));
	attempt_make(dir, attempt, "auto", d);
	return d->mode;
}

static void test_done__later_attempts_do_not_start(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct scratch *dir = *state;
	char run[40];

	assert_string_equal(mode_at(dir, 0, d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	assert_string_equal(mode_at(dir, 1, d), "resume");
	ATTEMPT_SET(run, d->run);
	declare(dir, "0123456789abcdef0123456789abcdef", "done", true);
	assert_string_equal(mode_at(dir, 2, d), "resume"); /* another run's */
	declare(dir, run, "done", true);
	assert_string_equal(mode_at(dir, 3, d), "done");
	assert_int_equal(ckpt_decision_check(d, NULL), 0);
	assert_non_null(strstr(d->line, "attempt 3"));
	assert_non_null(strstr(d->line, "done --undo"));
}

static void test_done__a_torn_marker_leaves_the_word_to_the_ledger(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct scratch *dir = *state;
	char run[40];

	mode_at(dir, 0, d);
	ATTEMPT_SET(run, d->run);
	declare(dir, run, "done", false);
	assert_string_equal(mode_at(dir, 1, d), "fresh"); /* the marker was taken away */
	scratch_put(dir->fd, ATTEMPT_STATE CKPT_DONE, "{\"ru");
	assert_string_equal(mode_at(dir, 2, d), "done");
	declare(dir, run, "undone", false);
	assert_string_equal(mode_at(dir, 3, d), "fresh");
}

/* Job numbers come again: attempt 0 of one that has the number of a job whose run is over. */
static void test_done__an_old_number_is_a_new_run(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct scratch *dir = *state;
	char run[40];

	mode_at(dir, 0, d);
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	ATTEMPT_SET(run, d->run);
	declare(dir, run, "done", true);
	assert_string_equal(mode_at(dir, 0, d), "resume");
	assert_string_not_equal(d->run, run);
	assert_string_equal(mode_at(dir, 1, d), "resume");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_done__comes_back_as_it_was),
		scratch_test(test_done__torn),
		scratch_test(test_done__later_attempts_do_not_start),
		scratch_test(test_done__a_torn_marker_leaves_the_word_to_the_ledger),
		scratch_test(test_done__an_old_number_is_a_new_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
