/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often a run saves, of checkpoints as they are found whole and of ledgers that tell of others.
 */
#include "core/watch/cadence.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/record/ledger.h"
#include "tests/unit/support/scratch.h"

#define S ((int64_t)1000000000)

static void test_cadence__longest(void **state)
{
	static const struct {
		int64_t attempt, saved, longest; /* in seconds */
	} steps[] = {
		{ 0, 1000, 0 },	  { 0, 1005, 0 }, /* the last beside the numbered one */
		{ 0, 1059, 0 },	  { 0, 1060, 60 },  { 0, 1400, 340 },
		{ 0, 1500, 340 }, { 0, 1100, 340 }, /* looked into late */
		{ 1, 9000, 340 }, /* waiting in the queue is no time between saves */
		{ 1, 9001, 340 }, { 1, 9500, 500 },
	};
	struct ckpt_cadence c = { 0 };
	struct ckpt_request req;

	(void)state;
	ckpt_request_init(&req);
	req.job_id = 7;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		req.attempt = steps[i].attempt;
		ckpt_cadence_take(&c, &req, steps[i].saved * S);
		assert_int_equal(c.longest_ns, steps[i].longest * S);
	}
	req.job_id = 8; /* the same number of another job's attempt */
	ckpt_cadence_take(&c, &req, 90000 * S);
	assert_int_equal(c.longest_ns, 500 * S);
	ckpt_cadence_take(&c, &req, INT64_MIN);
	assert_int_equal(c.longest_ns, 500 * S);
}

/* One ledger line that tells of a checkpoint. */
static void tell(const struct scratch *s, const char *fields, const char *id)
{
	char line[512];
	cJSON *o;

	snprintf(line, sizeof(line),
		 "{\"event\":\"checkpoint\",%s,\"cluster\":\"c\",\"id\":\"%s\"}", fields, id);
	o = cJSON_Parse(line);
	assert_non_null(o);
	assert_int_equal(ckpt_ledger_append(s->fd, o, NULL), 0);
	cJSON_Delete(o);
}

#define VALID "\"verdict\":\"valid\","
#define OURS VALID "\"job_id\":7,\"attempt\":0,\"run\":\"r1\""

static int64_t learned(const struct scratch *s, const char *run)
{
	struct ckpt_cadence c = { 0 };
	struct ckpt_request req;

	ckpt_request_init(&req);
	req.job_id = 7;
	req.attempt = 2;
	snprintf(req.cluster, sizeof(req.cluster), "c");
	assert_int_equal(ckpt_cadence_learn(&c, &req, run, s->fd), 0);
	/* what this attempt saves is no interval with what another has saved */
	ckpt_cadence_take(&c, &req, 1000000 * S);
	return c.longest_ns / S;
}

static void test_cadence__of_a_ledger(void **state)
{
	const struct scratch *s = *state;

	assert_int_equal(learned(s, "r1"), 0); /* no ledger */
	tell(s, OURS, "5-100-1000000000000");
	assert_int_equal(learned(s, "r1"), 0);
	tell(s, OURS, "6-100-1030000000000");
	assert_int_equal(learned(s, "r1"), 0);
	tell(s, OURS, "7-100-1300000000000");
	assert_int_equal(learned(s, "r1"), 300);
	tell(s, VALID "\"job_id\":7,\"attempt\":1,\"run\":\"r1\"", "8-100-5000000000000");
	assert_int_equal(learned(s, "r1"), 300);
	assert_int_equal(learned(s, ""), 300); /* by the job's number */
	assert_int_equal(learned(s, "r2"), 0); /* a number that came again */
}

/* None of these is a save of this run. */
static void test_cadence__hostile_ledger(void **state)
{
	static const char *const ids[] = {
		"", "9", "9-9-", "9-9-x", "9-9--5", "9-9-0", "9-9-99999999999999999999"
	};
	const struct scratch *s = *state;

	tell(s, OURS, "5-100-1000000000000");
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		tell(s, OURS, ids[i]);
	tell(s, "\"verdict\":\"corrupt\",\"job_id\":7,\"attempt\":0,\"run\":\"r1\"",
	     "5-1-2000000000000");
	tell(s, VALID "\"job_id\":\"7\",\"attempt\":0,\"run\":\"r1\"", "5-1-3000000000000");
	tell(s, VALID "\"job_id\":7,\"run\":\"r1\"", "5-1-4000000000000");
	tell(s, VALID "\"job_id\":8,\"attempt\":0", "5-1-5000000000000");
	tell(s, VALID "\"job_id\":7,\"attempt\":0,\"cluster\":\"another\"", "5-1-6000000000000");
	assert_int_equal(learned(s, "r1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cadence__longest),
		scratch_test(test_cadence__of_a_ledger),
		scratch_test(test_cadence__hostile_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
