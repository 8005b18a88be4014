/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --ckpt-keep=N[,best=K].
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "wire/keep.h"

static void test_keep__what_is_kept(void **state)
{
	static const struct {
		const char *text;
		int64_t newest, best;
	} rows[] = {
		{ "", 0, 1 },
		{ "2", 2, 1 },
		{ "3,best=2", 3, 2 },
		{ "2147483647,best=2147483647", INT32_MAX, INT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_keep got = { .newest = 99 };

		assert_null(ckpt_keep_parse(rows[i].text, &got));
		assert_int_equal(got.newest, rows[i].newest);
		assert_int_equal(got.best, rows[i].best);
		assert_null(ckpt_keep_parse(rows[i].text, NULL));
	}
}

static void test_keep__what_is_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "0", "fall back" },
		{ "1", "fall back" },
		{ "1,best=3", "fall back" },
		{ "-3", "number" },
		{ "+3", "number" },
		{ "x", "number" },
		{ ",best=2", "number" },
		{ "2147483648", "number" },
		{ "99999999999999999999999", "number" },
		{ "3,", "best=K" },
		{ "3,best", "best=K" },
		{ "3,best=", "best=K" },
		{ "3,best=0", "best=K" },
		{ "3,best=2,best=3", "best=K" },
		{ "3,last=2", "best=K" },
		{ "3, best=2", "best=K" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_keep got = { .newest = 99 };
		const char *why = ckpt_keep_parse(rows[i][0], &got);

		if (!why || !strstr(why, rows[i][1]))
			fail_msg("'%s': %s", rows[i][0], why ? why : "taken");
		assert_int_equal(got.newest, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep__what_is_kept),
		cmocka_unit_test(test_keep__what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
