/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of storages: found again after it grew, never twice, and bounded.
 */
#include "core/format/torch/storages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_storages__finds_all(void **state)
{
	_cleanup_storages_ struct ckpt_storages table = { 0 };

	(void)state;
	assert_null(ckpt_storages_find(&table, 0));
	for (uint64_t i = 0; i < 10000; i++) {
		struct ckpt_storage s = { .key = i * i, .size = i };

		assert_int_equal(ckpt_storages_add(&table, &s), 0);
		assert_int_equal(ckpt_storages_add(&table, &s), CKPT_STORAGES_TWICE);
	}
	assert_int_equal(table.n, 10000);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(ckpt_storages_find(&table, i * i)->size, i);
	assert_null(ckpt_storages_find(&table, 2));
	assert_null(ckpt_storages_find(&table, UINT64_MAX));
}

static void test_storages__is_bounded(void **state)
{
	_cleanup_storages_ struct ckpt_storages table = { 0 };
	struct ckpt_storage s = { 0 };

	(void)state;
	for (s.key = 0; s.key < CKPT_STORAGES_MAX; s.key++)
		assert_int_equal(ckpt_storages_add(&table, &s), 0);
	assert_int_equal(ckpt_storages_add(&table, &s), CKPT_STORAGES_FULL);
	assert_non_null(ckpt_storages_find(&table, CKPT_STORAGES_MAX - 1));
	assert_null(ckpt_storages_find(&table, CKPT_STORAGES_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storages__finds_all),
		cmocka_unit_test(test_storages__is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
