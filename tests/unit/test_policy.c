/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a job after an attempt: the policy row by row, with what must keep each from
 * being followed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "hooks/policy.h"
#include "wire/text.h"

#define EXIT(n) ((n) << 8)

/* An end of attempt 3 on node n1, of a job with the list `list`. */
struct end {
	const char *what;
	enum ckpt_cause cause;
	const char *list, *state;
	int restart;
	int64_t status;
	enum ckpt_policy_action action;
	const char *why;
};

static struct ckpt_requeue wants;
static struct ckpt_jobinfo info;

static struct ckpt_policy_facts facts_of(const struct end *end)
{
	info = (struct ckpt_jobinfo) { .completing = 1, .restart = end->restart, .host = "n1" };
	ckpt_text_copy(info.state, sizeof(info.state), end->state);
	assert_null(ckpt_requeue_parse(end->list, &wants));
	return (struct ckpt_policy_facts) {
		.cause = end->cause,
		.wants = &wants,
		.info = &info,
		.node = "n1",
		.attempt = 3,
		.batch_status = end->status,
		.recorded = true,
	};
}

static const struct end ends[] = {
	/* what Slurm before 24.05 makes of a job that leaves in its grace time */
	{ "grace, exit 0", CKPT_CAUSE_PREEMPTED, "", "completed", 3, 0, CKPT_POLICY_REQUEUE,
	  "preempt" },
	{ "grace, exit 3", CKPT_CAUSE_PREEMPTED, "", "failed", 3, EXIT(3), CKPT_POLICY_REQUEUE,
	  "preempt" },
	{ "grace, until its shortened limit", CKPT_CAUSE_PREEMPTED, "", "timeout", 3, 15,
	  CKPT_POLICY_REQUEUE, "preempt" },
	{ "grace, not in the list", CKPT_CAUSE_PREEMPTED, "stall", "completed", 3, 0,
	  CKPT_POLICY_NOTHING, NULL },
	{ "grace, no list", CKPT_CAUSE_PREEMPTED, "none", "failed", 3, 0, CKPT_POLICY_NOTHING,
	  NULL },
	{ "preempted and cancelled by Slurm", CKPT_CAUSE_PREEMPTED, "", "preempted", 3, 15,
	  CKPT_POLICY_NOTHING, NULL },
	{ "preempted and requeued by Slurm", CKPT_CAUSE_PREEMPTED, "", "pending", 4, 15,
	  CKPT_POLICY_NOTHING, NULL },
	{ "time limit, by default", CKPT_CAUSE_TIME_LIMIT, "", "timeout", 3, 15,
	  CKPT_POLICY_NOTHING, NULL },
	{ "time limit, in the list", CKPT_CAUSE_TIME_LIMIT, "time-limit", "timeout", 3, 15,
	  CKPT_POLICY_REQUEUE, "time-limit" },
	{ "a deadline is no limit", CKPT_CAUSE_TIME_LIMIT, "time-limit", "deadline", 3, 15,
	  CKPT_POLICY_NOTHING, NULL },
	{ "exit 85, listed", CKPT_CAUSE_EXIT_CODE, "exit:84,85", "failed", 3, EXIT(85),
	  CKPT_POLICY_REQUEUE, "exit" },
	{ "exit 86, not listed", CKPT_CAUSE_EXIT_CODE, "exit:84,85", "failed", 3, EXIT(86),
	  CKPT_POLICY_NOTHING, NULL },
	{ "exit 85, requeued by RequeueExit", CKPT_CAUSE_EXIT_CODE, "exit:85", "pending", 4,
	  EXIT(85), CKPT_POLICY_NOTHING, NULL },
	{ "finished", CKPT_CAUSE_FINISHED, "preempt,time-limit,exit:1", "completed", 3, 0,
	  CKPT_POLICY_NOTHING, NULL },
	{ "scancel", CKPT_CAUSE_CANCELLED, "preempt,time-limit,exit:85", "cancelled", 3, EXIT(85),
	  CKPT_POLICY_NOTHING, NULL },
	{ "a crash", CKPT_CAUSE_SIGNAL, "preempt,time-limit,exit:139", "failed", 3, 11,
	  CKPT_POLICY_NOTHING, NULL },
	{ "out of memory", CKPT_CAUSE_OOM, "preempt,time-limit", "out-of-memory", 3, 9,
	  CKPT_POLICY_NOTHING, NULL },
	{ "another node failed", CKPT_CAUSE_NODE_FAIL, "", "pending", 4, 15, CKPT_POLICY_NOTHING,
	  NULL },
	{ "scontrol requeue", CKPT_CAUSE_REQUEUED, "", "pending", 4, 15, CKPT_POLICY_NOTHING,
	  NULL },
	{ "unknown", CKPT_CAUSE_UNKNOWN, "preempt,time-limit", "other", 3, 15, CKPT_POLICY_NOTHING,
	  NULL },
};

static void expect(const struct ckpt_policy_facts *facts, enum ckpt_policy_action action,
		   const char *what)
{
	struct ckpt_policy got = ckpt_policy_decide(facts);

	if (got.action != action)
		fail_msg("%s: %d, expected %d", what, got.action, action);
}

static void test_policy__rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct ckpt_policy_facts facts = facts_of(&ends[i]);
		struct ckpt_policy got = ckpt_policy_decide(&facts);

		expect(&facts, ends[i].action, ends[i].what);
		if (ends[i].why)
			assert_string_equal(got.why, ends[i].why);
		else
			assert_null(got.why);
	}
}

/* Each of these alone keeps every row from a requeue. */
static void test_policy__only_what_is_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct ckpt_policy_facts facts = facts_of(&ends[i]);

		if (ends[i].action != CKPT_POLICY_REQUEUE)
			continue;
		info.completing = 0;
		expect(&facts, CKPT_POLICY_NOTHING, "not completing");
		facts = facts_of(&ends[i]);
		info.no_requeue = 1;
		expect(&facts, CKPT_POLICY_NOTHING, "--no-requeue");
		facts = facts_of(&ends[i]);
		facts.node = "n2";
		expect(&facts, CKPT_POLICY_NOTHING, "another batch host");
		facts = facts_of(&ends[i]);
		facts.attempt = 2;
		expect(&facts, CKPT_POLICY_NOTHING, "another attempt");
		facts = facts_of(&ends[i]);
		facts.info = NULL;
		expect(&facts, CKPT_POLICY_NOTHING, "no answer");
		facts = facts_of(&ends[i]);
		facts.recorded = false;
		if (ends[i].cause == CKPT_CAUSE_PREEMPTED) {
			expect(&facts, CKPT_POLICY_REQUEUE, "not recorded, but not its own doing");
		} else {
			expect(&facts, CKPT_POLICY_NOTHING, "not recorded");
			assert_non_null(
				strstr(ckpt_policy_decide(&facts).reason, "could not be recorded"));
		}
		facts = facts_of(&ends[i]);
		ckpt_text_copy(info.state, sizeof(info.state), "cancelled");
		expect(&facts, CKPT_POLICY_NOTHING, "cancelled meanwhile");
	}
}

/* The companion's wish is heeded where the job ended by itself, and nowhere else. */
static void test_policy__wanted_by_its_companion(void **state)
{
	static const char *const words[] = { "stall", "time-limit", "", "exit" };
	static const struct {
		enum ckpt_cause cause;
		const char *state;
		int restart;
		bool ended;
	} rows[] = { { CKPT_CAUSE_STALLED, "completed", 3, true },
		     { CKPT_CAUSE_TIME_LIMIT, "failed", 3, true },
		     { CKPT_CAUSE_TIME_LIMIT, "timeout", 3, true },
		     { CKPT_CAUSE_CANCELLED, "cancelled", 3, false },
		     { CKPT_CAUSE_OOM, "out-of-memory", 3, false },
		     { CKPT_CAUSE_NODE_FAIL, "node-fail", 3, false },
		     { CKPT_CAUSE_STALLED, "pending", 4, false } };

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(rows) / sizeof(rows[0]); i++) {
		const char *word = words[i % 4];
		bool due = rows[i / 4].ended && i % 4 < 2;
		struct end end = {
			"",  rows[i / 4].cause, "", rows[i / 4].state, rows[i / 4].restart, 0, 0,
			NULL
		};
		struct ckpt_policy_facts facts = facts_of(&end);

		facts.wanted = word;
		expect(&facts, due ? CKPT_POLICY_REQUEUE : CKPT_POLICY_NOTHING, word);
		if (!due)
			continue;
		assert_string_equal(ckpt_policy_decide(&facts).why, word);
		facts.faults = CKPT_REQUEUE_FAULTS;
		expect(&facts, CKPT_POLICY_HOLD, word);
		info.completing = 0;
		expect(&facts, CKPT_POLICY_NOTHING, "not completing");
		info.completing = 1;
		facts.faults = 0;
		info.no_requeue = 1;
		expect(&facts, CKPT_POLICY_NOTHING, "--no-requeue");
		info.no_requeue = 0;
		facts.recorded = false;
		expect(&facts, CKPT_POLICY_NOTHING, "not recorded");
	}
}

struct budget {
	const char *what;
	int64_t own_max, site_max, restarts, faults, repeats;
	bool hold, go_on;
	const char *reason;
};

static const struct budget budgets[] = {
	{ "no budget", 0, 0, 1000, 2, 5, false, false, NULL },
	{ "one restart left", 3, 0, 2, 0, 0, false, false, NULL },
	{ "none left", 3, 0, 3, 0, 0, true, true, "--ckpt-max-restarts=3" },
	{ "one left to the site", 0, 4, 0, 0, 0, false, false, NULL },
	{ "none left to the site", 0, 3, 0, 0, 0, true, false, "MaxRestarts=3" },
	{ "three in a row", 0, 0, 0, 3, 0, true, true, "3 attempts in a row" },
	{ "six the same", 0, 0, 0, 0, 6, true, true, "6 attempts failed in the same way" },
};

static void check_budget(const struct budget *b, struct ckpt_policy_facts facts, const char *what)
{
	struct ckpt_policy got;

	facts.own_max = b->own_max;
	facts.site_max = b->site_max;
	facts.restarts = b->restarts;
	facts.faults = b->faults;
	facts.repeats = b->repeats;
	got = ckpt_policy_decide(&facts);
	if ((got.action == CKPT_POLICY_HOLD) != b->hold)
		fail_msg("%s after %s: %d", b->what, what, got.action);
	if (!b->hold)
		return;
	assert_non_null(strstr(got.reason, b->reason));
	assert_int_equal(got.go_on, b->go_on);
}

/* What would start again, by us or by Slurm, is held; what would not is left alone. */
static void test_policy__budgets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		bool again = ends[i].action == CKPT_POLICY_REQUEUE ||
			     strcmp(ends[i].state, "pending") == 0;

		for (size_t b = 0; b < sizeof(budgets) / sizeof(budgets[0]); b++) {
			struct ckpt_policy_facts facts = facts_of(&ends[i]);
			struct budget budget = budgets[b];

			budget.hold = budget.hold && again;
			check_budget(&budget, facts, ends[i].what);
		}
	}
}

/* A hold needs no ledger: it can do no harm twice. And what somebody holds already is held. */
static void test_policy__holds(void **state)
{
	struct end end = {
		.cause = CKPT_CAUSE_PREEMPTED, .list = "", .state = "pending", .restart = 4
	};
	struct ckpt_policy_facts facts = facts_of(&end);

	(void)state;
	facts.faults = 3;
	facts.recorded = false;
	expect(&facts, CKPT_POLICY_HOLD, "not recorded");
	ckpt_text_copy(info.held, sizeof(info.held), "user");
	expect(&facts, CKPT_POLICY_NOTHING, "held by its user");
	info.held[0] = '\0';
	info.completing = 0;
	expect(&facts, CKPT_POLICY_NOTHING, "its epilogs are over");
	info.completing = 1;
	info.restart = 5;
	expect(&facts, CKPT_POLICY_NOTHING, "a later attempt");
}

/* Since 24.05: five exits in the grace time, and Slurm holds the job. */
static void test_policy__slurms_own_limit(void **state)
{
	struct end end = {
		.cause = CKPT_CAUSE_PREEMPTED, .list = "", .state = "pending", .restart = 4
	};
	struct ckpt_policy_facts facts = facts_of(&end);

	(void)state;
	ckpt_text_copy(info.held, sizeof(info.held), "max-requeue");
	expect(&facts, CKPT_POLICY_NOTHING, "no progress");
	facts.progress = true;
	expect(&facts, CKPT_POLICY_RELEASE, "progress");
	facts.own_max = 1;
	facts.restarts = 1;
	expect(&facts, CKPT_POLICY_HOLD, "progress, but its budget is spent");
	facts.own_max = 0;
	ckpt_text_copy(info.held, sizeof(info.held), "admin");
	expect(&facts, CKPT_POLICY_NOTHING, "held by an admin");
	facts = facts_of(&end);
	facts.progress = true;
	expect(&facts, CKPT_POLICY_NOTHING, "not held");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy__rows),
		cmocka_unit_test(test_policy__only_what_is_ours),
		cmocka_unit_test(test_policy__wanted_by_its_companion),
		cmocka_unit_test(test_policy__budgets),
		cmocka_unit_test(test_policy__holds),
		cmocka_unit_test(test_policy__slurms_own_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
