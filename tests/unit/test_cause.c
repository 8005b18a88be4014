/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cause of an attempt's end: every row of what Slurm shows at an epilog, with and without
 * slurmctld's answer.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "hooks/cause.h"
#include "wire/text.h"

#define EXIT(n) ((n) << 8)

/* One end as the epilog's environment and spool show it; the attempt is always 3. */
struct end {
	const char *what;
	int count;
	const char *exit_code;
	int status;
	int nodes;
	const char *state; /* NULL: slurmctld is not asked */
	int restart;
	int preempt;
	const char *cause;
	bool certain, ours;
};

static const struct end without_answer[] = {
	{ "finished?", 3, "0:0", 0, 1, NULL, 0, 0, "finished", false, true },
	{ "exit 1", 3, "1:0", EXIT(1), 1, NULL, 0, 0, "exit-code", false, true },
	{ "segfault", 3, "0:11", 11, 1, NULL, 0, 0, "signal", true, true },
	{ "abort with core", 3, "0:6", 6 | 0x80, 1, NULL, 0, 0, "signal", true, true },
	{ "SIGTERM, perhaps in the grace period", 3, "0:15", 15, 1, NULL, 0, 0, "signal", false,
	  true },
	{ "SIGKILL of unknown hand", 3, "0:9", 9, 1, NULL, 0, 0, "signal", false, true },
	{ "out of memory", 3, "0:125", 9, 1, NULL, 0, 0, "oom", true, true },
	{ "killed: by whom?", 3, "0:0", 15, 1, NULL, 0, 0, "unknown", false, true },
	{ "a trap's exit: why?", 3, "0:0", EXIT(3), 1, NULL, 0, 0, "unknown", false, true },
	{ "requeued or preempted", 4, "0:0", 15, 1, NULL, 0, 0, "requeued", false, false },
	{ "requeued though it ended with 0", 4, "0:0", 0, 1, NULL, 0, 0, "requeued", false, false },
	{ "no exit code", 3, "", 0, 1, NULL, 0, 0, "unknown", false, true },
	{ "malformed exit code", 3, "0", 0, 1, NULL, 0, 0, "unknown", false, true },
	{ "overlong exit code", 3, "000000000000:0", 0, 1, NULL, 0, 0, "unknown", false, true },
	{ "spool of two attempts ago", 5, "0:0", 15, 1, NULL, 0, 0, "unknown", true, false },
	{ "spool ahead of the message", 2, "0:0", 0, 1, NULL, 0, 0, "unknown", true, false },
};

static const struct end with_answer[] = {
	{ "finished", 3, "0:0", 0, 1, "completed", 3, 0, "finished", true, true },
	{ "left with 0 in the grace period", 3, "0:0", 0, 1, "completed", 3, 9, "preempted", true,
	  true },
	{ "left with 1 in the grace period", 3, "1:0", EXIT(1), 1, "failed", 3, 9, "preempted",
	  true, true },
	{ "exit 1", 3, "1:0", EXIT(1), 1, "failed", 3, 0, "exit-code", true, true },
	{ "exit code in RequeueExit", 3, "7:0", EXIT(7), 1, "pending", 4, 0, "exit-code", true,
	  true },
	{ "signal", 3, "0:15", 15, 1, "failed", 3, 0, "signal", true, true },
	{ "signal, RunInJob", 3, "0:0", 11, 1, "failed", 3, 0, "signal", true, true },
	{ "exit 1, RunInJob", 3, "0:0", EXIT(1), 1, "failed", 3, 0, "exit-code", true, true },
	{ "of no known status, RunInJob", 3, "0:0", -1, 1, "failed", 3, 0, "exit-code", true,
	  true },
	{ "out of memory", 3, "0:0", 9, 1, "out-of-memory", 3, 0, "oom", true, true },
	{ "scancel", 3, "0:0", 15, 1, "cancelled", 3, 0, "cancelled", true, true },
	{ "scancel in the grace period", 3, "0:0", 15, 1, "cancelled", 3, 9, "cancelled", true,
	  true },
	{ "requeued, then cancelled", 4, "0:0", 15, 1, "cancelled", 4, 0, "cancelled", true,
	  false },
	{ "time limit", 3, "0:0", 15, 1, "timeout", 3, 0, "time-limit", true, true },
	{ "deadline", 3, "0:0", 15, 1, "deadline", 3, 0, "time-limit", true, true },
	{ "preempted, requeued", 4, "0:0", 15, 1, "pending", 4, 9, "preempted", true, true },
	{ "preempted, trap exits 0", 4, "0:0", 0, 1, "pending", 4, 9, "preempted", true, true },
	{ "preempted, not requeued", 3, "0:0", 15, 1, "preempted", 3, 9, "preempted", true, true },
	{ "scontrol requeue", 4, "0:0", 15, 1, "pending", 4, 0, "requeued", true, true },
	{ "another node failed", 3, "0:0", 15, 2, "pending", 4, 0, "node-fail", true, true },
	{ "another node failed, count unknown", 3, "0:0", 15, 0, "pending", 4, 0, "node-fail", true,
	  true },
	{ "another node failed, in slurmctld's words", 3, "0:1", 15, 2, "pending", 4, 0,
	  "node-fail", true, true },
	{ "the same, its script left with a code", 3, "0:1", EXIT(1), 2, "pending", 4, 0,
	  "node-fail", true, true },
	{ "SIGHUP of its own, requeued meanwhile", 3, "0:1", 1, 2, "pending", 4, 0, "signal", true,
	  true },
	{ "SIGHUP of its own", 3, "0:1", 1, 1, "failed", 3, 0, "signal", true, true },
	{ "another signal, requeued meanwhile", 3, "0:15", 15, 2, "pending", 4, 0, "signal", true,
	  true },
	{ "one node, count of the launch", 3, "0:0", 15, 1, "pending", 4, 0, "requeued", true,
	  true },
	{ "the same, preempted", 3, "0:0", 15, 1, "pending", 4, 9, "preempted", true, true },
	{ "node failed, not requeued", 3, "0:0", 15, 2, "node-fail", 3, 0, "node-fail", true,
	  true },
	{ "boot failure", 3, "0:0", 15, 2, "boot-fail", 3, 0, "node-fail", true, true },
	{ "crash, requeued meanwhile", 3, "0:11", 11, 1, "pending", 4, 0, "signal", true, true },
	{ "a state of the future", 3, "0:0", 15, 1, "other", 3, 0, "unknown", true, true },
	{ "restarted twice meanwhile", 4, "0:0", 15, 1, "pending", 5, 0, "requeued", true, false },
	{ "answer from before", 3, "0:0", 15, 1, "pending", 2, 0, "requeued", true, false },
};

/* Whether an end with 0 may hide another, where nobody answers. */
static bool doubt;

static struct ckpt_cause_finding find(const struct end *end, int completing, bool this_boot)
{
	struct ckpt_jobinfo info = { .restart = end->restart,
				     .preempt = end->preempt,
				     .completing = completing };
	struct ckpt_cause_facts facts = {
		.attempt = 3,
		.count = end->count,
		.exit_code = end->exit_code,
		.batch_status = end->status,
		.num_nodes = end->nodes,
		.plain_zero = !doubt,
		.this_boot = this_boot,
		.info = end->state ? &info : NULL,
	};

	if (end->state)
		ckpt_text_copy(info.state, sizeof(info.state), end->state);
	return ckpt_cause_find(&facts);
}

static void check(const struct end *end)
{
	struct ckpt_cause_finding found = find(end, 1, true);

	if (strcmp(ckpt_cause_name(found.cause), end->cause) != 0 ||
	    found.certain != end->certain || found.ours != end->ours)
		fail_msg("%s: %s, certain %d, ours %d; expected %s, %d, %d", end->what,
			 ckpt_cause_name(found.cause), found.certain, found.ours, end->cause,
			 end->certain, end->ours);
}

static void test_cause__without_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(without_answer) / sizeof(without_answer[0]); i++)
		check(&without_answer[i]);
}

static void test_cause__with_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(with_answer) / sizeof(with_answer[0]); i++)
		check(&with_answer[i]);
}

/* The job's work is done only where every sign says so. */
static void test_cause__finished(void **state)
{
	static const struct {
		const char *what;
		int count, status, nodes;
		const char *state;
		int restart, preempt;
		bool doubt, finished;
	} rows[] = {
		{ "alone, nobody answers", 3, 0, 1, NULL, 0, 0, false, true },
		{ "perhaps in its grace time", 3, 0, 1, NULL, 0, 0, true, false },
		{ "a trap, as another node failed?", 3, 0, 2, NULL, 0, 0, false, false },
		{ "completed", 3, 0, 2, "completed", 3, 0, true, true },
		{ "in its grace time", 3, 0, 1, "completed", 3, 9, true, false },
		{ "a trap at the time limit", 3, 0, 1, "timeout", 3, 0, true, false },
		{ "a trap at scancel", 3, 0, 1, "cancelled", 3, 0, true, false },
		{ "requeued meanwhile", 3, 0, 1, "pending", 4, 0, true, false },
		{ "counts differ", 4, 0, 1, "pending", 4, 0, true, false },
		{ "another status", 3, EXIT(1), 1, "completed", 3, 0, true, false },
		{ "a later attempt's end", 3, 0, 1, "completed", 4, 0, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct end end = { .count = rows[i].count,
				   .exit_code = "0:0",
				   .status = rows[i].status,
				   .nodes = rows[i].nodes,
				   .state = rows[i].state,
				   .restart = rows[i].restart,
				   .preempt = rows[i].preempt };
		struct ckpt_cause_finding found;

		doubt = rows[i].doubt;
		found = find(&end, 1, true);
		if (found.finished != rows[i].finished)
			fail_msg("%s: finished %d", rows[i].what, found.finished);
		if (!rows[i].state)
			assert_false(found.certain);
		assert_false(find(&end, 1, false).finished);
	}
	doubt = false;
}

/* Law: nothing is recorded while another attempt may be alive. */
static void test_cause__not_ours_unless_completing(void **state)
{
	static const struct {
		const char *state;
		int count, restart;
		bool ours;
	} rows[] = {
		{ "running", 4, 4, false },   { "pending", 4, 4, false },
		{ "suspended", 4, 4, false }, { "running", 3, 3, false },
		{ "pending", 3, 3, false },   { "completed", 3, 3, true },
		{ "cancelled", 3, 3, true },  { "failed", 3, 3, true },
		{ "completed", 4, 4, false }, { "cancelled", 4, 4, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct end end = { .count = rows[i].count,
				   .exit_code = "0:0",
				   .status = 15,
				   .state = rows[i].state,
				   .restart = rows[i].restart };

		if (find(&end, 0, true).ours != rows[i].ours)
			fail_msg("row %zu: %s", i, rows[i].state);
	}
}

/* A node that comes back while the next attempt, elsewhere, is just ending. */
static void test_cause__not_ours_while_the_next_ends(void **state)
{
	static const char *const states[] = { "completed", "failed", "cancelled", "timeout",
					      "preempted" };

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		struct end end = { .count = 4,
				   .exit_code = "0:0",
				   .status = 15,
				   .state = states[i],
				   .restart = 4 };

		assert_false(find(&end, 1, true).ours);
	}
}

static void test_cause__not_ours_after_a_boot(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(with_answer) / sizeof(with_answer[0]); i++)
		assert_false(find(&with_answer[i], 1, false).ours);
}

static void test_cause__answer_is_always_certain(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(without_answer) / sizeof(without_answer[0]); i++) {
		struct end end = without_answer[i];

		end.state = "";
		end.restart = end.count;
		assert_true(find(&end, 1, true).certain);
	}
}

static void test_cause__names_are_words(void **state)
{
	(void)state;
	for (int cause = CKPT_CAUSE_UNKNOWN; cause <= CKPT_CAUSE_STALLED; cause++) {
		assert_true(ckpt_text_is_word(ckpt_cause_name(cause)));
		assert_true(strlen(ckpt_cause_name(cause)) < 32);
	}
}

static void test_cause__noted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(with_answer) / sizeof(with_answer[0]); i++)
		assert_int_not_equal(find(&with_answer[i], 1, true).cause, CKPT_CAUSE_STALLED);
	assert_int_equal(ckpt_cause_noted(CKPT_CAUSE_FINISHED, "stall"), CKPT_CAUSE_STALLED);
	assert_int_equal(ckpt_cause_noted(CKPT_CAUSE_SIGNAL, "time-limit"), CKPT_CAUSE_TIME_LIMIT);
	assert_int_equal(ckpt_cause_noted(CKPT_CAUSE_CANCELLED, "stall"), CKPT_CAUSE_CANCELLED);
	for (int cause = CKPT_CAUSE_UNKNOWN; cause <= CKPT_CAUSE_STALLED; cause++)
		assert_int_equal(ckpt_cause_noted((enum ckpt_cause)cause, ""), cause);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cause__without_answer),
		cmocka_unit_test(test_cause__with_answer),
		cmocka_unit_test(test_cause__finished),
		cmocka_unit_test(test_cause__not_ours_unless_completing),
		cmocka_unit_test(test_cause__not_ours_while_the_next_ends),
		cmocka_unit_test(test_cause__not_ours_after_a_boot),
		cmocka_unit_test(test_cause__answer_is_always_certain),
		cmocka_unit_test(test_cause__names_are_words),
		cmocka_unit_test(test_cause__noted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
