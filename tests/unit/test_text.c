/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/text.c: cleaning, quoting, strict numbers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "wire/text.h"

/* What JSON cannot hold, and nothing else: its own escapes stand for controls. */
static void test_text__makes_utf8(void **state)
{
	static const struct {
		const char *given, *made;
	} cases[] = {
		{ "", "" },
		{ "a\n\tb \177 \xc2\x9b", "a\n\tb \177 \xc2\x9b" },
		{ "\xff"
		  "a\xfe",
		  "?a?" },
		{ "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80",
		  "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "cut \xe2\x82", "cut ??" },
		{ "cut \xf0\x9f\x98", "cut ???" },
		{ "long \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "long ?? ??? ????" },
		{ "half \xed\xa0\x80", "half ???" },
		{ "beyond \xf4\x90\x80\x80 \xf5\x80\x80\x80", "beyond ???? ????" },
		{ "\xe0\xa0\x80\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		  "\xe0\xa0\x80\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];

		strcpy(buf, cases[i].given);
		ckpt_text_make_utf8(buf);
		assert_string_equal(buf, cases[i].made);
	}
}

static void test_text__cleans_controls_and_nothing_else(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} cases[] = {
		{ "", "" },
		{ "plain text", "plain text" },
		{ "a\nb\tc\033[31m\177", "a?b?c?[31m?" },
		{ "\xc2\x9b"
		  "31m",
		  "??31m" }, /* CSI as UTF-8 */
		{ "na\xc3\xafve \xc2\xa0 \xe2\x82\xac", "na\xc3\xafve \xc2\xa0 \xe2\x82\xac" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];

		assert_true(ckpt_text_copy(buf, sizeof(buf), cases[i].dirty));
		assert_int_equal(ckpt_text_has_control(buf),
				 strcmp(cases[i].dirty, cases[i].clean) != 0);
		ckpt_text_clean(buf);
		assert_string_equal(buf, cases[i].clean);
		assert_false(ckpt_text_has_control(buf));
	}
}

/* A terminal that does not speak UTF-8 takes a lone 0x9b for CSI. Names may hold such bytes. */
static void test_text__cleans_what_is_no_utf8(void **state)
{
	static const struct {
		const char *dirty, *clean;
	} cases[] = {
		{ "\x9b"
		  "31m",
		  "?31m" },
		{ "\xc2", "?" },
		{ "\xe2\x82", "??" },
		{ "\xc3\x9b\x9b", "\xc3\x9b?" },
		{ "\xc0\x9b\xf5\xff.", "????." },
		{ "\xf0\x9f\x98\x80 caf\xe9", "\xf0\x9f\x98\x80 caf?" },
		{ "\xe9\xc2\x9b", "???" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];

		assert_true(ckpt_text_copy(buf, sizeof(buf), cases[i].dirty));
		ckpt_text_clean(buf);
		assert_string_equal(buf, cases[i].clean);
	}
	assert_false(ckpt_text_has_control("caf\xe9"));
}

static void test_text__copies_all_or_nothing(void **state)
{
	char buf[5] = "old";

	(void)state;
	assert_true(ckpt_text_copy(buf, sizeof(buf), "four"));
	assert_string_equal(buf, "four");
	assert_false(ckpt_text_copy(buf, sizeof(buf), "fives"));
	assert_string_equal(buf, "");
	assert_true(ckpt_text_copy(buf, 1, ""));
}

static void test_text__quotes(void **state)
{
	static const struct {
		const char *text, *quoted;
	} cases[] = {
		{ "", "''" },
		{ "ckpt-3.pt", "'ckpt-3.pt'" },
		{ "it's", "'it\\x27s'" },
		{ "a\\b", "'a\\x5cb'" },
		{ "a\nb", "'a\\x0ab'" },
		{ "\xc3\xa9", "'\xc3\xa9'" },
		{ "\xc2\x9b!", "'\\xc2\\x9b!'" },
		{ "\x9b!\xc3", "'\\x9b!\\xc3'" },
		{ "\xe2\x82\xac\x82", "'\xe2\x82\xac\\x82'" },
	};
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(ckpt_text_quote(buf, sizeof(buf), cases[i].text),
				    cases[i].quoted);
}

static void test_text__quotes_within_any_room(void **state)
{
	static const char *const texts[] = { "nnnnnnnnnnnnnnnnnnnnnnnnnnnn",
					     "\n\n\n\n\n\n\n\n\n\n" };

	(void)state;
	for (size_t size = 10; size < 40; size++) {
		for (int i = 0; i < 2; i++) {
			char buf[64];
			size_t len;

			memset(buf, '#', sizeof(buf));
			ckpt_text_quote(buf, size, texts[i]);
			len = strlen(buf);
			assert_true(len < size);
			assert_int_equal(buf[size], '#');
			assert_int_equal(buf[0], '\'');
			assert_int_equal(buf[len - 1], '\'');
			assert_true(len > strlen(texts[i]) || strstr(buf, "...'"));
		}
	}
}

static void test_text__strict_integers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} cases[] = {
		{ "-0", false, 0 },
		{ "0", true, 0 },
		{ "7", true, 7 },
		{ "-7", true, -7 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "99999999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "-", false, 0 },
		{ "+7", false, 0 },
		{ " 7", false, 0 },
		{ "7 ", false, 0 },
		{ "07", false, 0 },
		{ "-07", false, 0 },
		{ "0x7", false, 0 },
		{ "7\n", false, 0 },
		{ "1.0", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t value = 42;

		if (ckpt_text_int(cases[i].text, INT64_MIN, INT64_MAX, &value) != cases[i].ok)
			fail_msg("%s", cases[i].text);
		assert_int_equal(value, cases[i].ok ? cases[i].value : 42);
	}
}

static void test_text__integers_keep_their_range(void **state)
{
	int64_t value = 42;

	(void)state;
	assert_false(ckpt_text_int("0", 1, 5, &value));
	assert_false(ckpt_text_int("6", 1, 5, &value));
	assert_int_equal(value, 42);
	assert_true(ckpt_text_int("1", 1, 5, &value));
	assert_true(ckpt_text_int("5", 1, 5, &value));
	assert_int_equal(value, 5);
}

static void test_text__words(void **state)
{
	static const char *const words[] = { "a", "Z9_.-", "node-01", "0" };
	static const char *const others[] = { "",    ".",    "..",  ".a",	"-a",	    "a b",
					      "a/b", "a\nb", "a%b", "\xc3\xa9", "a\xc3\xa9" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_true(ckpt_text_is_word(words[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(ckpt_text_is_word(others[i]));
}

static void test_text__starts_and_ends(void **state)
{
	const char *rest = "untouched";

	(void)state;
	assert_false(ckpt_text_starts("ckpt", "ckpt-", &rest));
	assert_string_equal(rest, "untouched");
	assert_true(ckpt_text_starts("ckpt-3", "ckpt-", &rest));
	assert_string_equal(rest, "3");
	assert_true(ckpt_text_starts("ckpt-3", "", NULL));
	assert_true(ckpt_text_ends("a.index", ".index"));
	assert_true(ckpt_text_ends("a", ""));
	assert_false(ckpt_text_ends("index", ".index"));
	assert_false(ckpt_text_ends("a.indexx", ".index"));
}

static void test_text__duration(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* 0: none */
	} cases[] = {
		{ "5", 300 },
		{ "90", 5400 },
		{ "30s", 30 },
		{ "10m", 600 },
		{ "2h", 7200 },
		{ "1d", 86400 },
		{ "02:30", 150 },
		{ "90:00", 5400 },
		{ "01:00:00", 3600 },
		{ "1:02:03", 3723 },
		{ "1-0", 86400 },
		{ "1-12", 129600 },
		{ "1-12:30", 131400 },
		{ "2-01:02:03", 176523 },
		{ "3650d", 315360000 },
		{ "3651d", 0 },
		{ "0", 0 },
		{ "0s", 0 },
		{ "00:00", 0 },
		{ "", 0 },
		{ "s", 0 },
		{ "5x", 0 },
		{ "5 m", 0 },
		{ "-5", 0 },
		{ "+5", 0 },
		{ "1.5h", 0 },
		{ "5ms", 0 },
		{ "1:", 0 },
		{ ":1", 0 },
		{ "1:60", 0 },
		{ "1:2:3:4", 0 },
		{ "1:00:60", 0 },
		{ "1-", 0 },
		{ "1-2-3", 0 },
		{ "1-2h", 0 },
		{ "99999999999999999999", 0 },
		{ "auto", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t s = -1;

		if (ckpt_text_duration(cases[i].text, &s) != (cases[i].seconds > 0) ||
		    s != (cases[i].seconds ? cases[i].seconds : -1))
			fail_msg("%s: %lld", cases[i].text, (long long)s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__duration),
		cmocka_unit_test(test_text__makes_utf8),
		cmocka_unit_test(test_text__cleans_controls_and_nothing_else),
		cmocka_unit_test(test_text__cleans_what_is_no_utf8),
		cmocka_unit_test(test_text__copies_all_or_nothing),
		cmocka_unit_test(test_text__quotes),
		cmocka_unit_test(test_text__quotes_within_any_room),
		cmocka_unit_test(test_text__strict_integers),
		cmocka_unit_test(test_text__integers_keep_their_range),
		cmocka_unit_test(test_text__words),
		cmocka_unit_test(test_text__starts_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
