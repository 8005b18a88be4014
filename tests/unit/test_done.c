/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end marker of a run, and what a later start makes of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The end of @attempt as the epilog records it: with 0, and slurmctld had it as completed. */
static void end(const struct scratch *dir, int64_t attempt)
{
	_cleanup_close_ int fd = state_of(dir);
	_cleanup_json_ cJSON *entry = cJSON_CreateObject();

	cJSON_AddStringToObject(entry, "event", "end");
	cJSON_AddStringToObject(entry, "cluster", "test");
	cJSON_AddNumberToObject(entry, "job_id", ATTEMPT_JOB);
	cJSON_AddNumberToObject(entry, "attempt", (double)attempt);
	cJSON_AddStringToObject(entry, "cause", "finished");
	cJSON_AddNumberToObject(entry, "batch_status", 0);
	cJSON_AddNumberToObject(entry, "finished", 1);
	assert_int_equal(ckpt_ledger_append(fd, entry, NULL), 0);
}

/* scontrol requeue of a job that has come to its end is obeyed, declared or not. */
static void test_done__requeued_by_somebody(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct scratch *dir = *state;

	assert_string_equal(mode_at(dir, 0, d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	declare(dir, d->run, "done", true);
	end(dir, 0);
	assert_string_equal(mode_at(dir, 1, d), "resume");
	assert_non_null(strstr(d->warning, "requeued since"));
}

/* A slurmctld that was killed may launch an attempt a second time, after its script has declared
 * the end: no requeue, which would count as another attempt. */
static void test_done__launched_twice(void **state)
{
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct scratch *dir = *state;
	_cleanup_close_ int fd = state_of(dir);
	struct ckpt_done done = { .job_id = ATTEMPT_JOB, .attempt = 1 };

	assert_string_equal(mode_at(dir, 0, d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	end(dir, 0);
	assert_string_equal(mode_at(dir, 1, d), "resume");
	ATTEMPT_SET(done.run, d->run);
	assert_int_equal(ckpt_done_store(fd, &done, NULL), 0);
	assert_string_equal(mode_at(dir, 1, d), "done");
	end(dir, 1);
	assert_string_equal(mode_at(dir, 2, d), "resume");
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

#define END_CONFIG "{\"training\":{\"end_marker\":\"FINISHED\"}}"

static void put_config(const struct scratch *dir)
{
	scratch_put(dir->fd, "ckpt-config.json", END_CONFIG);
}

static void test_done__by_the_programs_own_marker(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	put_config(dir);
	assert_string_equal(mode_at(dir, 0, &d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	assert_string_equal(mode_at(dir, 1, &d), "resume");
	scratch_put(dir->fd, "FINISHED", "");
	assert_string_equal(mode_at(dir, 2, &d), "done");
	assert_non_null(strstr(d.line, "FINISHED"));
	assert_int_equal(unlinkat(dir->fd, "FINISHED", 0), 0);
	assert_string_equal(mode_at(dir, 3, &d), "resume");
}

/* A marker that was there when the run began is that of another one, until it is written again. */
static void test_done__a_marker_from_before(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	put_config(dir);
	scratch_put(dir->fd, "FINISHED", "once");
	assert_string_equal(mode_at(dir, 0, &d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	assert_string_equal(mode_at(dir, 1, &d), "resume");
	scratch_put(dir->fd, "FINISHED", "and again");
	assert_string_equal(mode_at(dir, 2, &d), "done");
}

/* A directory that is there changes with all that is written into it: that is no end. */
static void test_done__a_marker_that_is_a_directory(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	put_config(dir);
	assert_int_equal(mkdirat(dir->fd, "FINISHED", 0777), 0);
	assert_string_equal(mode_at(dir, 0, &d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	scratch_put(dir->fd, "FINISHED/log", "of this run");
	assert_string_equal(mode_at(dir, 1, &d), "resume");
	assert_int_equal(renameat(dir->fd, "FINISHED", dir->fd, "before"), 0);
	assert_int_equal(mkdirat(dir->fd, "FINISHED", 0777), 0);
	assert_string_equal(mode_at(dir, 2, &d), "done");
}

static void test_done__a_marker_that_cannot_be_looked_up(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	put_config(dir);
	assert_string_equal(mode_at(dir, 0, &d), "fresh");
	attempt_put(dir, "ckpt-1.pt", 1, 10);
	assert_int_equal(symlinkat("FINISHED", dir->fd, "FINISHED"), 0); /* a loop: ELOOP */
	assert_string_equal(mode_at(dir, 1, &d), "refused");
	assert_int_equal(d.refusal, CKPT_REFUSE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_done__comes_back_as_it_was),
		scratch_test(test_done__torn),
		scratch_test(test_done__later_attempts_do_not_start),
		scratch_test(test_done__requeued_by_somebody),
		scratch_test(test_done__launched_twice),
		scratch_test(test_done__a_torn_marker_leaves_the_word_to_the_ledger),
		scratch_test(test_done__an_old_number_is_a_new_run),
		scratch_test(test_done__by_the_programs_own_marker),
		scratch_test(test_done__a_marker_from_before),
		scratch_test(test_done__a_marker_that_is_a_directory),
		scratch_test(test_done__a_marker_that_cannot_be_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
