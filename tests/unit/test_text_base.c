/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/text.c: words for people.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "core/base/text.h"

static void test_text_base__sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 999, "999 B" },
		{ 1000, "1.0 KB" },
		{ 1049, "1.0 KB" },
		{ 1051, "1.1 KB" },
		{ 999949, "999.9 KB" },
		{ 999950, "1.0 MB" },
		{ 487300000, "487.3 MB" },
		{ 4258145833, "4.3 GB" },
		{ UINT64_C(1600000000000), "1.6 TB" },
		{ UINT64_MAX, "18.4 EB" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(ckpt_text_size(buf, sizeof(buf), cases[i].bytes), buf);
		assert_string_equal(buf, cases[i].text);
	}
	assert_string_equal(ckpt_text_size(buf, 4, 487300000), "487");
}

static void test_text_base__ages(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 59, "59s" },
		{ 60, "1m00s" },
		{ 185, "3m05s" },
		{ 3599, "59m59s" },
		{ 3600, "1h00m" },
		{ 7800, "2h10m" },
		{ 86399, "23h59m" },
		{ 86400, "1d00h" },
		{ 356400, "4d03h" },
		{ -65, "-1m05s" }, /* another node's clock */
		{ INT64_MAX, "106751991167300d15h" },
		{ INT64_MIN, "-106751991167300d15h" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ckpt_text_age(buf, sizeof(buf), cases[i].seconds),
				    cases[i].text);
}

static void test_text_base__numbers(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 3, "3" },
		{ -3, "-3" },
		{ 100, "100" },
		{ 2.25, "2.25" },
		{ 2.50001, "2.5" },
		{ 0.33333333, "0.3333" },
		{ 1.99999, "2" },
		{ -0.00001, "0" },
		{ 123456789012345, "123456789012345" },
		{ 1e15, "1e+15" },
		{ 1e300, "1e+300" },
		{ INFINITY, "inf" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ckpt_text_number(buf, sizeof(buf), cases[i].value),
				    cases[i].text);
	assert_non_null(strstr(ckpt_text_number(buf, sizeof(buf), NAN), "nan"));
	assert_string_equal(ckpt_text_number(buf, 3, 100.5), "10");
}

static void test_text_base__string_grows(void **state)
{
	_cleanup_str_ struct ckpt_str str = { 0 };

	(void)state;
	assert_null(str.s);
	ckpt_str_add(&str, "%s", "");
	assert_string_equal(str.s, "");
	for (int i = 0; i < 1000; i++)
		ckpt_str_add(&str, "%03d,", i);
	assert_int_equal(str.len, 4000);
	assert_int_equal(strlen(str.s), 4000);
	assert_memory_equal(str.s, "000,001,", 8);
	assert_string_equal(str.s + 3996, "999,");
	assert_false(str.failed);
	ckpt_str_done(&str);
	assert_null(str.s);
	ckpt_str_add(&str, "again");
	assert_string_equal(str.s, "again");
}

static void test_text_base__string_at_the_edge_of_its_room(void **state)
{
	(void)state;
	for (int len = 120; len < 140; len++) {
		_cleanup_str_ struct ckpt_str str = { 0 };

		ckpt_str_add(&str, "%*s", len, "x");
		ckpt_str_add(&str, "y");
		assert_int_equal(strlen(str.s), len + 1);
		assert_true(str.cap > str.len);
	}
}

static void test_text_base__string_without_memory_stays(void **state)
{
	_cleanup_str_ struct ckpt_str str = { 0 };

	(void)state;
	ckpt_str_add(&str, "kept");
	str.len = SIZE_MAX - 2; /* no allocation can follow */
	ckpt_str_add(&str, "more");
	assert_true(str.failed);
	assert_string_equal(str.s, "kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_base__sizes),
		cmocka_unit_test(test_text_base__ages),
		cmocka_unit_test(test_text_base__numbers),
		cmocka_unit_test(test_text_base__string_grows),
		cmocka_unit_test(test_text_base__string_at_the_edge_of_its_room),
		cmocka_unit_test(test_text_base__string_without_memory_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
