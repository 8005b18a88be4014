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

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_record_end__the_next_attempt_knows),
		scratch_test(test_record_end__our_epoch_info),
		scratch_test(test_record_end__no_guess_of_an_epoch),
		scratch_test(test_record_end__the_programs_file_is_its_own),
		scratch_test(test_record_end__nothing_valid_writes_no_epoch_info),
		scratch_test(test_record_end__weights_write_no_epoch_info),
		scratch_test(test_record_end__without_a_mark_nothing_is_made),
		scratch_test(test_record_end__a_pin_is_no_answer),
		scratch_test(test_record_end__ledgers_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
