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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
