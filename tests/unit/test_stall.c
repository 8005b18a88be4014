/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a job counts as stuck: on a clock of the test's own.
 */
#include "core/watch/stall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S ((int64_t)1000000000)
#define TICK (10 * S)

static int64_t now;

static void begin(struct ckpt_stall *stall, int64_t limit)
{
	const struct ckpt_signs none = { 0 };

	*stall = (struct ckpt_stall) { .limit_ns = limit };
	now = 5000 * S;
	assert_int_equal(ckpt_stall_take(stall, &none, now, TICK), CKPT_STALL_GOING);
}

static enum ckpt_stall_state after(struct ckpt_stall *stall, const struct ckpt_signs *signs,
				   int ticks)
{
	enum ckpt_stall_state state = CKPT_STALL_GOING;

	for (int i = 0; i < ticks && state == CKPT_STALL_GOING; i++) {
		now += TICK;
		state = ckpt_stall_take(stall, signs, now, TICK);
	}
	return state;
}

static void test_stall__nothing_at_all(void **state)
{
	struct ckpt_signs signs = { 0 };
	struct ckpt_stall stall;

	(void)state;
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &signs, 9), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_STALLED);
}

/* Each sign alone begins the time anew. */
static void test_stall__signs(void **state)
{
	static const struct ckpt_signs signs[] = {
		{ .checkpoints = 1 }, { .output = 7 },
		{ .beat = 7 },	      { .cpu_ns = S },	/* a tenth of a processor in one tick */
		{ .paused = true },   { .cpu_ns = -1 }, /* not known is no proof of anything */
	};
	struct ckpt_signs none;
	struct ckpt_stall stall;

	(void)state;
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		begin(&stall, 100 * S);
		none = (struct ckpt_signs) { 0 };
		assert_int_equal(after(&stall, &none, 9), CKPT_STALL_GOING);
		assert_int_equal(after(&stall, &signs[i], 1), CKPT_STALL_GOING);
		none = signs[i];
		none.paused = false;
		if (none.cpu_ns < 0)
			none.cpu_ns = 0;
		/* one that is not known ends with a comparison that cannot be made */
		assert_int_equal(after(&stall, &none, 9), CKPT_STALL_GOING);
		assert_int_equal(after(&stall, &none, 2), CKPT_STALL_STALLED);
	}
}

/* What a process had taken before it could be asked is not work of this tick. */
static void test_stall__processor_time_known_again(void **state)
{
	const struct ckpt_signs unknown = { .cpu_ns = -1 }, known = { .cpu_ns = 3600 * S };
	struct ckpt_stall stall;

	(void)state;
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &unknown, 1), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &known, 9), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &known, 1), CKPT_STALL_STALLED);
}

/* What only waits takes some processor time too. */
static void test_stall__idling_is_no_work(void **state)
{
	struct ckpt_signs signs = { 0 };
	struct ckpt_stall stall;
	enum ckpt_stall_state got = CKPT_STALL_GOING;
	int ticks = 0;

	(void)state;
	begin(&stall, 100 * S);
	for (; got == CKPT_STALL_GOING && ticks < 100; ticks++) {
		signs.cpu_ns += TICK / 100; /* a percent */
		got = after(&stall, &signs, 1);
	}
	assert_int_equal(ticks, 10);
	begin(&stall, 100 * S);
	for (ticks = 0; ticks < 100; ticks++) {
		signs.cpu_ns += TICK / 20;
		assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_GOING);
	}
}

/* Who sends heartbeats says by them alone that it goes on: a hung collective spins and logs. */
static void test_stall__heartbeats_count_alone(void **state)
{
	struct ckpt_signs signs = { .beat = 1 };
	struct ckpt_stall stall;
	int ticks = 0;

	(void)state;
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_GOING);
	for (enum ckpt_stall_state got = CKPT_STALL_GOING; got == CKPT_STALL_GOING && ticks < 1000;
	     ticks++) {
		signs.cpu_ns += TICK;
		signs.output++;
		got = after(&stall, &signs, 1);
	}
	assert_int_equal(ticks, 10);
}

/* Without sight nothing is done, and it is said once; then the time begins where it was. */
static void test_stall__blind(void **state)
{
	struct ckpt_signs signs = { 0 }, blind = { .blind = true };
	struct ckpt_stall stall;

	(void)state;
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &signs, 8), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &blind, 1), CKPT_STALL_BLIND);
	assert_int_equal(after(&stall, &blind, 1000), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &signs, 2), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_STALLED);
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &blind, 1), CKPT_STALL_BLIND);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &blind, 1), CKPT_STALL_BLIND); /* anew */
}

/* We did not run ourselves: suspended, or the node was. */
static void test_stall__a_pause_of_our_own(void **state)
{
	struct ckpt_signs signs = { 0 };
	struct ckpt_stall stall;

	(void)state;
	begin(&stall, 100 * S);
	assert_int_equal(after(&stall, &signs, 5), CKPT_STALL_GOING);
	now += 100000 * S;
	assert_int_equal(after(&stall, &signs, 5), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_STALLED);
}

/* auto: four times the longest time between saves, ten minutes at least; not before that is known,
 * however often a file was seen to grow. */
static void test_stall__auto(void **state)
{
	struct ckpt_signs signs = { 0 };
	struct ckpt_stall stall;

	(void)state;
	begin(&stall, CKPT_STALL_AUTO);
	for (int i = 0; i < 5; i++) {
		signs.checkpoints++;
		assert_int_equal(after(&stall, &signs, 10000), CKPT_STALL_GOING);
	}
	assert_int_equal(ckpt_stall_limit(&stall), 0);
	signs.cadence_ns = 60 * S;
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_STALLED); /* it was for long */
	assert_int_equal(ckpt_stall_limit(&stall), 600 * S);
	begin(&stall, CKPT_STALL_AUTO);
	signs.cadence_ns = 300 * S;
	signs.checkpoints++;
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_GOING);
	assert_int_equal(ckpt_stall_limit(&stall), 1200 * S);
	assert_int_equal(after(&stall, &signs, 119), CKPT_STALL_GOING);
	assert_int_equal(after(&stall, &signs, 1), CKPT_STALL_STALLED);
	signs.cadence_ns = INT64_MAX / 2;
	assert_int_equal(after(&stall, &signs, 100000), CKPT_STALL_GOING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stall__nothing_at_all),
		cmocka_unit_test(test_stall__signs),
		cmocka_unit_test(test_stall__processor_time_known_again),
		cmocka_unit_test(test_stall__idling_is_no_work),
		cmocka_unit_test(test_stall__heartbeats_count_alone),
		cmocka_unit_test(test_stall__blind),
		cmocka_unit_test(test_stall__a_pause_of_our_own),
		cmocka_unit_test(test_stall__auto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
