/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a checkpoint that was seen may be looked into: on a clock of the test's own.
 */
#include "core/watch/items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S ((int64_t)1000000000)
#define GIB ((uint64_t)1 << 30)

static struct ckpt_watched *note(struct ckpt_items *items, uint64_t key, uint64_t print,
				 int64_t now)
{
	const struct ckpt_watched seen = { .key = key, .print = print, .size = 100 };
	struct ckpt_watched *item = ckpt_items_note(items, &seen, now, false);

	assert_non_null(item);
	assert_int_equal(item->key, key);
	return item;
}

static void test_items__quiet_grows_with_size(void **state)
{
	static const struct {
		uint64_t size;
		int64_t quiet;
	} cases[] = {
		{ 0, 2 * S },		{ 4 * GIB - 1, 2 * S }, { 4 * GIB, 3 * S },
		{ 40 * GIB, 12 * S },	{ 112 * GIB, 30 * S },	{ 200 * GIB, 30 * S },
		{ UINT64_MAX, 30 * S },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(ckpt_watch_quiet(cases[i].size), cases[i].quiet);
}

/* Due once nothing has changed for long enough; a change begins it anew. */
static void test_items__due_when_quiet(void **state)
{
	struct ckpt_items items = { 0 };

	(void)state;
	assert_int_equal(ckpt_items_due(&items), INT64_MAX);
	ckpt_items_begin(&items);
	assert_int_equal(note(&items, 7, 1, 10 * S)->due_ns, 12 * S);
	ckpt_items_end(&items);
	ckpt_items_begin(&items);
	assert_int_equal(note(&items, 7, 2, 11 * S)->due_ns, 13 * S);
	ckpt_items_end(&items);
	ckpt_items_begin(&items);
	assert_int_equal(note(&items, 7, 2, 12 * S)->due_ns, 13 * S);
	ckpt_items_end(&items);
	assert_int_equal(ckpt_items_due(&items), 13 * S);
	assert_int_equal(items.n, 1);
	ckpt_items_done(&items);
}

/* What was there before is nothing new, until it changes. */
static void test_items__known(void **state)
{
	const struct ckpt_watched seen = { .key = 9, .print = 5 };
	struct ckpt_items items = { 0 };

	(void)state;
	ckpt_items_begin(&items);
	assert_int_equal(ckpt_items_note(&items, &seen, 0, true)->due_ns, INT64_MAX);
	ckpt_items_end(&items);
	ckpt_items_begin(&items);
	assert_int_equal(note(&items, 9, 5, S)->due_ns, INT64_MAX);
	assert_int_equal(note(&items, 9, 6, 2 * S)->due_ns, 4 * S);
	ckpt_items_done(&items);
}

static void test_items__outcomes(void **state)
{
	struct ckpt_watched item = { .key = 1, .size = 8 * GIB };

	(void)state;
	ckpt_watched_settle(&item, CKPT_WATCH_SEALED, S);
	assert_int_equal(item.due_ns, INT64_MAX);
	ckpt_watched_settle(&item, CKPT_WATCH_REFUSED, S);
	assert_int_equal(item.due_ns, INT64_MAX);
	ckpt_watched_settle(&item, CKPT_WATCH_CHANGED, S);
	assert_int_equal(item.due_ns, 5 * S);
}

/* A bad one gets a second look, and is told then; a writer may be between two writes. */
static void test_items__rejected_twice(void **state)
{
	struct ckpt_items items = { 0 };
	struct ckpt_watched *item;

	(void)state;
	ckpt_items_begin(&items);
	item = note(&items, 3, 1, 0);
	assert_false(item->rejected);
	ckpt_watched_settle(item, CKPT_WATCH_REJECTED, 2 * S);
	assert_true(item->rejected);
	assert_int_equal(item->due_ns, 62 * S);
	ckpt_watched_settle(item, CKPT_WATCH_REJECTED, 62 * S);
	assert_int_equal(item->due_ns, INT64_MAX);
	item = note(&items, 3, 2, 100 * S);
	assert_false(item->rejected);
	assert_int_equal(item->due_ns, 102 * S);
	ckpt_items_done(&items);
}

/* A writer is asked after less and less often, an error a few times. */
static void test_items__busy_and_failed(void **state)
{
	static const int64_t waits[] = { 2, 4, 8, 16, 32, 32, 32 };
	struct ckpt_watched item = { .key = 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		ckpt_watched_settle(&item, CKPT_WATCH_BUSY, 0);
		assert_int_equal(item.due_ns, waits[i] * S);
	}
	for (int i = 0; i < 1000; i++) /* no wrap of what counts */
		ckpt_watched_settle(&item, CKPT_WATCH_BUSY, 0);
	assert_int_equal(item.due_ns, 32 * S);
	item = (struct ckpt_watched) { .key = 1 };
	ckpt_watched_settle(&item, CKPT_WATCH_FAILED, 0);
	assert_int_equal(item.due_ns, 300 * S);
	ckpt_watched_settle(&item, CKPT_WATCH_FAILED, 0);
	assert_int_equal(item.due_ns, 300 * S);
	ckpt_watched_settle(&item, CKPT_WATCH_FAILED, 0);
	assert_int_equal(item.due_ns, INT64_MAX);
}

/* 100,000 of them in a few megabytes; what is gone is forgotten. */
static void test_items__many(void **state)
{
	struct ckpt_items items = { 0 };

	(void)state;
	ckpt_items_begin(&items);
	for (uint64_t i = 1; i <= 100000; i++)
		note(&items, i << 32, i, 0);
	ckpt_items_end(&items);
	assert_int_equal(items.n, 100000);
	assert_true(items.cap * sizeof(*items.v) <= 12 * 1024 * 1024);
	for (uint64_t i = 1; i <= 100000; i++)
		assert_int_equal(ckpt_items_find(&items, i << 32)->print, i);
	assert_null(ckpt_items_find(&items, 5));
	ckpt_items_begin(&items);
	for (uint64_t i = 1; i <= 100000; i += 1000)
		note(&items, i << 32, i, 0);
	ckpt_items_end(&items);
	assert_int_equal(items.n, 100);
	assert_null(ckpt_items_find(&items, (uint64_t)2 << 32));
	assert_non_null(ckpt_items_find(&items, (uint64_t)1001 << 32));
	ckpt_items_done(&items);
}

static void tally_is(const struct ckpt_items *items, int64_t now, size_t saved, size_t unsettled)
{
	struct ckpt_items_tally tally = ckpt_items_tally(items, now);

	assert_int_equal(tally.saved, saved);
	assert_int_equal(tally.unsettled, unsettled);
}

/* Of one that is there before the mark, nothing counts but a change to one that had come to rest.
 */
static void test_items__before_the_mark(void **state)
{
	static const struct {
		int64_t at; /* of the mark; first seen at 0, due at 2 s */
		int outcome;
		bool changes; /* at 100 s */
		size_t unsettled_then, saved, unsettled;
	} cases[] = {
		{ 1 * S, -1, false, 1, 0,
		  0 }, /* being written: it has to end, and is not counted */
		{ 1 * S, -1, true, 1, 0, 0 },
		{ 1 * S, CKPT_WATCH_BUSY, true, 1, 0, 0 },
		{ 3 * S, -1, false, 0, 0, 0 }, /* it only waits for its turn */
		{ 3 * S, -1, true, 0, 1, 0 },
		{ 3 * S, CKPT_WATCH_SEALED, true, 0, 1, 0 },
		{ 3 * S, CKPT_WATCH_REJECTED, true, 0, 1, 0 },
		{ 3 * S, CKPT_WATCH_FAILED, true, 0, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ckpt_items items = { 0 };
		struct ckpt_watched *item = note(&items, 7, 1, 0);

		if (cases[i].outcome >= 0)
			ckpt_watched_settle(item, (enum ckpt_watch_outcome)cases[i].outcome, S / 2);
		tally_is(&items, cases[i].at, 0, 0);
		ckpt_items_mark(&items, cases[i].at);
		tally_is(&items, cases[i].at, 0, cases[i].unsettled_then);
		item = note(&items, 7, cases[i].changes ? 2 : 1, 100 * S);
		ckpt_watched_settle(item, CKPT_WATCH_SEALED, 103 * S);
		tally_is(&items, 103 * S, cases[i].saved, cases[i].unsettled);
		ckpt_items_done(&items);
	}
}

/* What comes after it: each outcome, and a change after it. */
static void test_items__after_the_mark(void **state)
{
	static const struct {
		enum ckpt_watch_outcome outcome;
		size_t saved, unsettled;
	} cases[] = {
		{ CKPT_WATCH_SEALED, 1, 0 },   { CKPT_WATCH_REFUSED, 1, 0 },
		{ CKPT_WATCH_REJECTED, 0, 0 }, { CKPT_WATCH_BUSY, 0, 1 },
		{ CKPT_WATCH_CHANGED, 0, 1 },  { CKPT_WATCH_FAILED, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ckpt_items items = { 0 };
		struct ckpt_watched *item;

		ckpt_items_mark(&items, 0);
		item = note(&items, 7, 1, 10 * S);
		tally_is(&items, 10 * S, 0, 1);
		ckpt_watched_settle(item, cases[i].outcome, 12 * S);
		tally_is(&items, 12 * S, cases[i].saved, cases[i].unsettled);
		note(&items, 8, 1, 13 * S); /* the second of two files */
		tally_is(&items, 13 * S, cases[i].saved, cases[i].unsettled + 1);
		note(&items, 7, 2, 14 * S);
		tally_is(&items, 14 * S, 0, 2);
		ckpt_items_done(&items);
	}
}

/* One that is written at the mark, comes to its end, and is written anew. */
static void test_items__written_again_after_the_mark(void **state)
{
	struct ckpt_items items = { 0 };
	struct ckpt_watched *item = note(&items, 7, 1, 0);

	(void)state;
	ckpt_items_mark(&items, S);
	item = note(&items, 7, 2, 2 * S);
	ckpt_watched_settle(item, CKPT_WATCH_BUSY, 4 * S);
	tally_is(&items, 4 * S, 0, 1);
	ckpt_watched_settle(item, CKPT_WATCH_SEALED, 6 * S);
	tally_is(&items, 6 * S, 0, 0);
	item = note(&items, 7, 3, 8 * S);
	tally_is(&items, 8 * S, 0, 1);
	ckpt_watched_settle(item, CKPT_WATCH_SEALED, 10 * S);
	tally_is(&items, 10 * S, 1, 0);
	ckpt_items_done(&items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items__quiet_grows_with_size),
		cmocka_unit_test(test_items__due_when_quiet),
		cmocka_unit_test(test_items__known),
		cmocka_unit_test(test_items__outcomes),
		cmocka_unit_test(test_items__rejected_twice),
		cmocka_unit_test(test_items__busy_and_failed),
		cmocka_unit_test(test_items__many),
		cmocka_unit_test(test_items__before_the_mark),
		cmocka_unit_test(test_items__after_the_mark),
		cmocka_unit_test(test_items__written_again_after_the_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
