/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of an attempt as the epilog records it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/resolve/settle.h"
#include "tests/unit/support/attempt.h"

static int record(struct ckpt_request *req, struct ckpt_decision *ret, struct ckpt_error *err)
{
	struct ckpt_ctx ctx = { .threads = 1 };

	memset(ret, 0, sizeof(*ret));
	req->in_hook = 1;
	return ckpt_record_end(&ctx, req, ret, err);
}

static struct ckpt_request *ending(const struct scratch *dir, int64_t number, const char *cause)
{
	struct ckpt_request *req = attempt_request(dir, number);

	ATTEMPT_SET(req->reason, cause);
	return req;
}

static void expect_in(int dirfd, const char *name, const char *part, bool there)
{
	char *text = scratch_get(dirfd, name);

	if (!text || (strstr(text, part) != NULL) != there)
		fail_msg("'%s' is %s %s: %s", part, there ? "not in" : "in", name,
			 text ? text : "(nothing)");
	free(text);
}

static void test_record_end__the_next_attempt_knows(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "preempted");
	struct ckpt_decision d, next;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.tag, "ckpt-3.pt");
	assert_int_equal(d.attempt, 0);
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"cause\":\"preempted\"", true);
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"newest_valid\":\"ckpt-3.pt\"", true);
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "batch_status", false);
	attempt_make(dir, 1, "auto", &next);
	assert_string_equal(next.reason, "preempted");
	assert_string_equal(next.tag, "ckpt-3.pt");
	free(req);
}

static void note(const struct scratch *dir, const char *why)
{
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_decision d;

	ATTEMPT_SET(req->note, "requeue");
	ATTEMPT_SET(req->note_why, why);
	ATTEMPT_SET(req->note_by, "companion");
	assert_int_equal(ckpt_record_note(&ctx, req, &d, NULL), 0);
	free(req);
}

/* A program that saved at our signal and left with 0 has not finished; and why it was signalled is
 * why it ended, unless Slurm knows better. */
static void test_record_end__a_requeue_was_noted(void **state)
{
	static const struct {
		const char *notes[2], *cause;
		int finished;
		const char *wanted, *recorded, *reason;
	} rows[] = {
		{ { "stall", "" }, "finished", 1, "stall", "stalled", "stalled" },
		{ { "time-limit", "" }, "finished", 1, "time-limit", "time-limit", "time-limit" },
		{ { "stall", "" }, "requeued", 0, "stall", "stalled", "stalled" },
		{ { "time-limit", "" }, "exit-code", 0, "time-limit", "time-limit", "time-limit" },
		{ { "stall", "" }, "cancelled", 0, "stall", "cancelled", "stalled" },
		{ { "stall", "refused" }, "finished", 1, "", "finished", "requeued" },
		{ { "", "" }, "finished", 1, "", "finished", "requeued" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scratch *dir = *state;
		struct ckpt_request *req;
		struct ckpt_decision d, next;
		char end[64];

		scratch_close(dir);
		assert_int_equal(scratch_open(dir), 0);
		attempt_make(dir, 0, "auto", &d);
		attempt_put(dir, "ckpt-3.pt", 3, 30);
		for (int k = 0; k < 2 && rows[i].notes[k][0]; k++)
			note(dir, rows[i].notes[k]);
		req = ending(dir, 0, rows[i].cause);
		req->finished = rows[i].finished;
		assert_int_equal(record(req, &d, NULL), 0);
		assert_string_equal(req->reason, rows[i].cause);
		assert_string_equal(d.wanted, rows[i].wanted);
		snprintf(end, sizeof(end), "\"cause\":\"%s\"", rows[i].recorded);
		expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", end, true);
		expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"finished\":1",
			  rows[i].finished && !rows[i].wanted[0]);
		attempt_make(dir, 1, "auto", &next);
		assert_string_equal(next.reason, rows[i].reason);
		assert_string_equal(next.tag, "ckpt-3.pt");
		assert_int_equal(strstr(next.warning, "had finished") != NULL,
				 rows[i].finished && !rows[i].wanted[0]);
		free(req);
	}
}

/* The epilog holds by what it is told: the end that is being recorded counts already. */
static void test_record_end__time_limits_that_bring_nothing(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_decision d;

	for (int n = 0; n < 5; n++) {
		struct ckpt_request *req = ending(dir, n, "time-limit");

		attempt_make(dir, n, "auto", &d);
		assert_string_not_equal(d.mode, "refused");
		if (n == 2)
			attempt_put(dir, "ckpt-1.pt", 1, 10);
		assert_int_equal(record(req, &d, NULL), 0);
		assert_int_equal(d.faults, n < 2 ? n + 1 : n - 2);
		assert_int_equal(d.progress, n == 2);
		ATTEMPT_SET(req->note, "requeue");
		ATTEMPT_SET(req->note_why, "time-limit");
		ATTEMPT_SET(req->note_by, "epilog");
		assert_int_equal(ckpt_record_note(&(struct ckpt_ctx) { 0 }, req, &d, NULL), 0);
		free(req);
	}
}

static void test_record_end__our_epoch_info(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "time-limit");
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	ATTEMPT_SET(req->epoch, "completed");
	assert_int_equal(record(req, &d, NULL), 0);
	expect_in(dir->fd, "epoch_info.json", "\"last_completed_epoch\":\t3", true);
	expect_in(dir->fd, "epoch_info.json", "\"checkpoint\":\t\"ckpt-3.pt\"", true);
	expect_in(dir->fd, "epoch_info.json", "\"reason\":\t\"time-limit\"", true);
	expect_in(dir->fd, "epoch_info.json", "ckpt-resume", true);
	free(req);
}

/* Whose epochs are not known gets no number. */
static void test_record_end__no_guess_of_an_epoch(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "time-limit");
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(record(req, &d, NULL), 0);
	expect_in(dir->fd, "epoch_info.json", "last_completed_epoch", false);
	expect_in(dir->fd, "epoch_info.json", "\"step\":\t30", true);
	free(req);
}

static void test_record_end__the_programs_file_is_its_own(void **state)
{
	const char *text = "{\"last_completed_epoch\": 3}";
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "node-fail");
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	scratch_put(dir->fd, "epoch_info.json", text);
	assert_int_equal(record(req, &d, NULL), 0);
	assert_true(scratch_holds(dir->fd, "epoch_info.json", text));
	assert_string_equal(d.warning, "");
	free(req);
}

static void test_record_end__nothing_valid_writes_no_epoch_info(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "exit-code");
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	attempt_put_cut(dir, "ckpt-3.pt", 3, 30);
	req->status_known = 1;
	req->batch_status = 256;
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.mode, "fresh");
	assert_false(scratch_has(dir->fd, "epoch_info.json"));
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"batch_status\":256", true);
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "newest_valid", false);
	expect_in(dir->fd, ATTEMPT_STATE "ledger.jsonl", "\"rejected\":[{\"name\":\"ckpt-3.pt\"",
		  true);
	free(req);
}

/* A clock that goes on by 2 ms each time that it is looked at. */
static int64_t tick(void *arg)
{
	int64_t *now = arg;

	return *now += 2000000;
}

/* The site's counters: what was rejected of this attempt's work, and how long checking took. */
static void test_record_end__what_is_counted(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "exit-code");
	int64_t now = 1;
	const struct ckpt_seam clock = { .now_ns = tick, .arg = &now };
	struct ckpt_ctx ctx = { .threads = 1, .seam = &clock };
	struct ckpt_decision d = { .settle = 0 };

	attempt_make(dir, 0, "auto", &d);
	attempt_put_cut(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put_cut(dir, "ckpt-3.pt", 3, 30);
	attempt_put_flipped(dir, "ckpt-4.pt", 4, 40);
	memset(&d, 0, sizeof(d));
	req->in_hook = 1;
	assert_int_equal(ckpt_record_end(&ctx, req, &d, NULL), 0);
	assert_string_equal(d.tag, "ckpt-2.pt");
	assert_non_null(strstr(d.rejected, "/checksum"));
	assert_non_null(strstr(d.rejected, "/truncated"));
	assert_ptr_equal(strchr(d.rejected, ','), strrchr(d.rejected, ',')); /* ckpt-1 is older */
	assert_in_range(d.verify_ms, 8, now / 1000000);
	free(req);
}

/* Each file counts once, be it seen by an end, the start after it and that one's end; another of
 * its name is another. Without a checkpoint to start from all are newer. */
static void test_record_end__counted_once(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "exit-code");
	struct ckpt_request *start = attempt_request(dir, 1);
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	assert_string_equal(d.rejected, "");
	attempt_put_flipped(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.mode, "fresh");
	assert_non_null(strstr(d.rejected, "/checksum"));
	attempt_put_cut(dir, "ckpt-4.pt", 4, 40); /* by what its end could not see */
	ATTEMPT_SET(start->quarantine, "mark");
	attempt_settle(start, &d);
	assert_non_null(strstr(d.rejected, "/truncated"));
	assert_null(strchr(d.rejected, ','));
	assert_true(scratch_has(dir->fd, "ckpt-3.pt"));
	req->attempt = 1;
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.rejected, "");
	attempt_put_flipped(dir, "ckpt-3.pt", 3, 31);
	req->attempt = 2;
	assert_int_equal(record(req, &d, NULL), 0);
	assert_non_null(strstr(d.rejected, "/checksum"));
	free(start);
	free(req);
}

static void test_record_end__weights_write_no_epoch_info(void **state)
{
	const struct torch_synthetic weights = { .epoch = 2, .step = 20, .weights_only = true };
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "preempted");
	struct ckpt_decision d;

	attempt_make(dir, 0, "auto", &d);
	torch_synthetic_write(dir->fd, "ckpt-2.pt", &weights);
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.mode, "finetune");
	assert_false(scratch_has(dir->fd, "epoch_info.json"));
	free(req);
}

static void test_record_end__without_a_mark_nothing_is_made(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "preempted");
	struct ckpt_error err = { 0 };
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-3.pt", 3, 30);
	assert_int_equal(record(req, &d, &err), -ENOENT);
	assert_non_null(strstr(err.text, "no mark of the run"));
	assert_int_equal(scratch_count(dir->fd), 1);
	free(req);
}

/* A pin with --ckpt-repin is the first start's wish; what would be next is told by auto. */
static void test_record_end__a_pin_is_no_answer(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "preempted");
	struct ckpt_decision d;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_make(dir, 0, "step:10", &d);
	attempt_put(dir, "ckpt-3.pt", 3, 30);
	ATTEMPT_SET(req->mode, "step:10");
	req->repin = 1;
	assert_int_equal(record(req, &d, NULL), 0);
	assert_string_equal(d.tag, "ckpt-3.pt");
	free(req);
}

/* One of two ledgers is enough; with none it is an error. */
static void test_record_end__ledgers_that_cannot_be_written(void **state)
{
	struct scratch *dir = *state;
	struct ckpt_request *req = ending(dir, 0, "preempted");
	struct ckpt_decision d;

	mkdirat(dir->fd, "a", 0777);
	mkdirat(dir->fd, "b", 0777);
	assert_true(snprintf(req->dirs, sizeof(req->dirs), "%s/a:%s/b", dir->path, dir->path) > 0);
	attempt_settle(req, &d);
	assert_int_equal(unlinkat(dir->fd, "a/.ckpt-resume/ledger.jsonl", 0), 0);
	assert_int_equal(mkdirat(dir->fd, "a/.ckpt-resume/ledger.jsonl", 0777), 0);
	assert_int_equal(record(req, &d, NULL), 0);
	expect_in(dir->fd, "b/.ckpt-resume/ledger.jsonl", "\"end\"", true);
	assert_int_equal(unlinkat(dir->fd, "b/.ckpt-resume/ledger.jsonl", 0), 0);
	assert_int_equal(mkdirat(dir->fd, "b/.ckpt-resume/ledger.jsonl", 0777), 0);
	assert_int_equal(unlinkat(dir->fd, "a/.ckpt-resume/ledger.jsonl", AT_REMOVEDIR), 0);
	assert_int_equal(record(req, &d, NULL), 0);
	expect_in(dir->fd, "a/.ckpt-resume/ledger.jsonl", "\"end\"", true);
	assert_int_equal(unlinkat(dir->fd, "a/.ckpt-resume/ledger.jsonl", 0), 0);
	assert_int_equal(mkdirat(dir->fd, "a/.ckpt-resume/ledger.jsonl", 0777), 0);
	assert_true(record(req, &d, NULL) < 0);
	free(req);
}

/* Makes @name @ago seconds old. */
static void backdate(const struct scratch *dir, const char *name, int64_t ago)
{
	const struct timespec at = { .tv_sec = time(NULL) - ago };

	assert_int_equal(utimensat(dir->fd, name, (struct timespec[]) { at, at }, 0), 0);
}

static void test_record_end__what_is_lost(void **state)
{
	static const struct {
		int64_t begun, saved; /* seconds ago; saved < 0: nothing new */
		int64_t finished, lost;
	} rows[] = {
		{ 600, -1, 0, 600 }, { 600, 200, 0, 200 },
		{ 600, 200, 1, 0 },  { 600, 900, 0, 600 }, /* what it started from */
		{ -80, -1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ckpt_request *req;
		struct ckpt_decision d;
		struct scratch dir;

		assert_int_equal(scratch_open(&dir), 0);
		req = ending(&dir, 0, "preempted");
		attempt_make(&dir, 0, "auto", &d);
		backdate(&dir, ATTEMPT_STATE "decision-test-41-0.json", rows[i].begun);
		if (rows[i].saved >= 0) {
			attempt_put(&dir, "ckpt-3.pt", 3, 30);
			backdate(&dir, "ckpt-3.pt", rows[i].saved);
		}
		req->finished = rows[i].finished;
		assert_int_equal(record(req, &d, NULL), 0);
		if (d.lost_s < rows[i].lost || d.lost_s > rows[i].lost + 5)
			fail_msg("row %zu: %lld", i, (long long)d.lost_s);
		free(req);
		scratch_close(&dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_record_end__the_next_attempt_knows),
		scratch_test(test_record_end__a_requeue_was_noted),
		scratch_test(test_record_end__time_limits_that_bring_nothing),
		scratch_test(test_record_end__our_epoch_info),
		scratch_test(test_record_end__no_guess_of_an_epoch),
		scratch_test(test_record_end__the_programs_file_is_its_own),
		scratch_test(test_record_end__nothing_valid_writes_no_epoch_info),
		scratch_test(test_record_end__what_is_counted),
		scratch_test(test_record_end__counted_once),
		scratch_test(test_record_end__weights_write_no_epoch_info),
		scratch_test(test_record_end__without_a_mark_nothing_is_made),
		scratch_test(test_record_end__a_pin_is_no_answer),
		scratch_test(test_record_end__ledgers_that_cannot_be_written),
		cmocka_unit_test(test_record_end__what_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
