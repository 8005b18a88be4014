/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --ckpt-requeue=LIST.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "wire/requeue.h"

#define DEFAULT (CKPT_REQUEUE_PREEMPT | CKPT_REQUEUE_NODE_FAIL | CKPT_REQUEUE_STALL)

static void test_requeue__lists(void **state)
{
	static const struct {
		const char *list;
		unsigned causes;
		int codes[4]; /* ends in 0 */
	} rows[] = {
		{ "", DEFAULT, { 0 } },
		{ CKPT_REQUEUE_DEFAULT, DEFAULT, { 0 } },
		{ "none", 0, { 0 } },
		{ "preempt", CKPT_REQUEUE_PREEMPT, { 0 } },
		{ "time-limit,stall", CKPT_REQUEUE_TIME_LIMIT | CKPT_REQUEUE_STALL, { 0 } },
		{ "node-fail,node-fail", CKPT_REQUEUE_NODE_FAIL, { 0 } },
		{ "exit:85", 0, { 85 } },
		{ "exit:1,255,64", 0, { 1, 64, 255 } },
		{ "exit:85,86,preempt", CKPT_REQUEUE_PREEMPT, { 85, 86 } },
		{ "exit:85,preempt,exit:2", CKPT_REQUEUE_PREEMPT, { 2, 85 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_requeue got = { .causes = 99 };
		const int *next = rows[i].codes;

		assert_null(ckpt_requeue_parse(rows[i].list, &got));
		assert_int_equal(got.causes, rows[i].causes);
		for (int code = -1; code < 300; code++) {
			bool listed = *next && *next == code;

			if (ckpt_requeue_has_code(&got, code) != listed)
				fail_msg("'%s': code %d", rows[i].list, code);
			next += listed;
		}
	}
}

static void test_requeue__bad_lists(void **state)
{
	static const char *const rows[][2] = {
		{ ",", "empty" },
		{ "preempt,", "empty" },
		{ ",preempt", "empty" },
		{ "preempt,,stall", "empty" },
		{ "preemption", "unknown" },
		{ "Preempt", "unknown" },
		{ "none,preempt", "unknown" },
		{ "85", "unknown" },
		{ "preempt,85", "unknown" },
		{ "exit:85,preempt,86", "unknown" },
		{ "exit:", "1 to 255" },
		{ "exit:0", "1 to 255" },
		{ "exit:256", "1 to 255" },
		{ "exit:-1", "1 to 255" },
		{ "exit:8 5", "1 to 255" },
		{ "exit:85,256", "unknown" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "overlong" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_requeue got = { .causes = 99 };
		const char *problem = ckpt_requeue_parse(rows[i][0], &got);

		if (!problem || !strstr(problem, rows[i][1]))
			fail_msg("'%s': %s", rows[i][0], problem ? problem : "(taken)");
		assert_int_equal(got.causes, 99);
	}
}

/* What we requeue for is why it ended, unless Slurm has an end of its own for it. */
static void test_requeue__causes(void **state)
{
	static const char *const vague[] = { "",	 "unknown",   "finished",
					     "requeued", "exit-code", "signal" };
	static const char *const own[] = { "cancelled", "preempted", "time-limit", "node-fail",
					   "oom" };

	(void)state;
	for (size_t i = 0; i < sizeof(vague) / sizeof(vague[0]); i++) {
		assert_string_equal(ckpt_requeue_cause("stall", vague[i]), "stalled");
		assert_string_equal(ckpt_requeue_cause("time-limit", vague[i]), "time-limit");
		assert_ptr_equal(ckpt_requeue_cause("", vague[i]), vague[i]);
		assert_ptr_equal(ckpt_requeue_cause("exit", vague[i]), vague[i]);
		assert_ptr_equal(ckpt_requeue_cause("refused", vague[i]), vague[i]);
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		assert_ptr_equal(ckpt_requeue_cause("stall", own[i]), own[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requeue__lists),
		cmocka_unit_test(test_requeue__bad_lists),
		cmocka_unit_test(test_requeue__causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
