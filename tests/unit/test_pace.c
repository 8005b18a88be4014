/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was spent is rested for, up to a bound.
 */
#include "core/watch/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_pace__rests(void **state)
{
	struct ckpt_pace pace = { .per = 200, .longest_ns = 10000 };

	(void)state;
	ckpt_pace_spend(&pace, 0, 50);
	assert_int_equal(pace.ready_ns, 50);
	ckpt_pace_spend(&pace, 10, 100);
	assert_int_equal(pace.ready_ns, 2100);
	ckpt_pace_spend(&pace, 10, 200); /* before it was over */
	assert_int_equal(pace.ready_ns, 4100);
	ckpt_pace_spend(&pace, 10, 10000);
	assert_int_equal(pace.ready_ns, 12000);
}

static void test_pace__bounded(void **state)
{
	struct ckpt_pace pace = { .per = 200, .longest_ns = 10000 };

	(void)state;
	ckpt_pace_spend(&pace, 1000, 100);
	assert_int_equal(pace.ready_ns, 10100);
	ckpt_pace_spend(&pace, INT64_MAX, 200);
	assert_int_equal(pace.ready_ns, 10200);
}

/* Over a long time no more than the part of it that was allowed. */
static void test_pace__share(void **state)
{
	struct ckpt_pace pace = { .per = 200, .longest_ns = INT64_MAX / 4 };
	int64_t now = 0, spent = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		if (now < pace.ready_ns)
			now = pace.ready_ns;
		now += i % 7;
		spent += i % 7;
		ckpt_pace_spend(&pace, i % 7, now);
	}
	assert_true(spent * 200 <= pace.ready_ns);
}

/* Later each time, never later than an hour, and for ever. */
static void test_pace__tries_again(void **state)
{
	static const int64_t pauses[] = { 15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600 };
	const int64_t second = 1000000000;
	struct ckpt_retry retry = { 0 };
	int64_t now = 5 * second;

	(void)state;
	assert_true(ckpt_retry_is_due(&retry, 0));
	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		ckpt_retry_failed(&retry, now);
		assert_false(ckpt_retry_is_due(&retry, now + pauses[i] * second - 1));
		now += pauses[i] * second;
		assert_true(ckpt_retry_is_due(&retry, now));
	}
	for (int i = 0; i < 100000; i++)
		ckpt_retry_failed(&retry, now);
	assert_true(ckpt_retry_is_due(&retry, now + CKPT_RETRY_LONGEST_NS));
	ckpt_retry_never(&retry);
	assert_false(ckpt_retry_is_due(&retry, INT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace__tries_again),
		cmocka_unit_test(test_pace__rests),
		cmocka_unit_test(test_pace__bounded),
		cmocka_unit_test(test_pace__share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
