/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The field table machine on a small struct of its own: strict setting, wire form both ways,
 * environment.
 */
#include "wire/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

struct thing {
	char text[8], word[8], path[8], only_x[8];
	int64_t number;
};

static bool is_x(const char *text)
{
	return strcmp(text, "x") == 0;
}

#define ROW(member, env, type, valid)                                                              \
	{                                                                                          \
#member, env, "help of " #member, CKPT_FIELD_##type,                               \
			offsetof(struct thing, member), sizeof(((struct thing *)0)->member), -5,   \
			10, valid                                                                  \
	}

static const struct ckpt_field rows[] = {
	ROW(text, "TEXT", TEXT, NULL),	  ROW(word, NULL, WORD, NULL),
	ROW(path, "PATH", PATH, NULL),	  ROW(only_x, "X", TEXT, is_x),
	ROW(number, "NUMBER", INT, NULL),
};
static const struct ckpt_fields fields = { rows, 5 };

static void test_field__set(void **state)
{
	static const struct {
		const char *key, *value;
		int result;
	} cases[] = {
		{ "text", "a b=c", 0 },
		{ "text", "", 0 },
		{ "text", "1234567", 0 },
		{ "text", "12345678", -E2BIG },
		{ "text", "a\nb", -EINVAL },
		{ "text", "a\x7f", -EINVAL },
		{ "text", "\xc2\x85", -EINVAL },
		{ "text", "\xc3\xa4", 0 },
		{ "word", "a_B.-9", 0 },
		{ "word", "", 0 },
		{ "word", "a b", -EINVAL },
		{ "word", "..", -EINVAL },
		{ "word", "-a", -EINVAL },
		{ "word", "a/b", -EINVAL },
		{ "path", "/a", 0 },
		{ "path", "", 0 },
		{ "path", "a", -EINVAL },
		{ "path", "/a\x1b", -EINVAL },
		{ "only_x", "x", 0 },
		{ "only_x", "y", -EINVAL },
		{ "number", "-5", 0 },
		{ "number", "10", 0 },
		{ "number", "11", -EINVAL },
		{ "number", "-6", -EINVAL },
		{ "number", "", -EINVAL },
		{ "number", "1 ", -EINVAL },
		{ "number", "01", -EINVAL },
		{ "number", "99999999999999999999", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ckpt_field *row = ckpt_field_find(&fields, cases[i].key);
		struct ckpt_error err = { 0 };
		struct thing t = { 0 };
		char buf[24];

		assert_non_null(row);
		assert_int_equal(ckpt_field_set(row, &t, cases[i].value, &err), cases[i].result);
		assert_int_equal(err.code, cases[i].result);
		if (cases[i].result == 0)
			assert_string_equal(ckpt_field_get(row, &t, buf, sizeof(buf)),
					    cases[i].value);
		else
			assert_non_null(strstr(err.text, cases[i].key));
	}
}

static void test_field__find(void **state)
{
	(void)state;
	assert_ptr_equal(ckpt_field_find(&fields, "path"), &rows[2]);
	assert_null(ckpt_field_find(&fields, "PATH"));
	assert_null(ckpt_field_find(&fields, ""));
}

static void test_field__encode(void **state)
{
	static const char wire[] = "text=a=b\npath=/p\nnumber=-3\n";
	const struct thing t = { .text = "a=b", .path = "/p", .number = -3 };
	const struct thing zero = { 0 };
	struct thing back = { 0 };
	char buf[64] = "what was there";

	(void)state;
	assert_int_equal(ckpt_fields_encode(&fields, &zero, buf, sizeof(buf)), 0);
	assert_string_equal(buf, "");
	assert_int_equal(ckpt_fields_encode(&fields, &t, buf, sizeof(buf)), sizeof(wire) - 1);
	assert_string_equal(buf, wire);
	for (size_t size = 0; size < sizeof(wire); size++)
		assert_int_equal(ckpt_fields_encode(&fields, &t, buf, size), -E2BIG);
	assert_int_equal(ckpt_fields_encode(&fields, &t, buf, sizeof(wire)), sizeof(wire) - 1);
	assert_int_equal(ckpt_fields_decode(&fields, &back, buf, strlen(buf), NULL), 0);
	assert_memory_equal(&back, &t, sizeof(t));
}

/* A number is left out where it is 0, not where a byte of it is. */
static void test_field__numbers_travel(void **state)
{
	static const int64_t numbers[] = {
		1, 256, -256, INT64_C(1) << 32, INT64_MAX, INT64_MIN,
	};
	struct ckpt_field row = rows[4];
	const struct ckpt_fields one = { &row, 1 };
	char buf[64];

	(void)state;
	row.min = INT64_MIN;
	row.max = INT64_MAX;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct thing t = { .number = numbers[i] };
		struct thing back = { 0 };

		assert_true(ckpt_fields_encode(&one, &t, buf, sizeof(buf)) > 0);
		assert_int_equal(ckpt_fields_decode(&one, &back, buf, strlen(buf), NULL), 0);
		assert_true(back.number == numbers[i]);
	}
}

static void test_field__longest_line(void **state)
{
	static char line[32 * 1024 + 1];
	struct ckpt_error err = { 0 };
	struct thing t = { 0 };

	(void)state;
	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	assert_int_equal(ckpt_fields_decode(&fields, &t, line, sizeof(line), &err), -EINVAL);
	assert_non_null(strstr(err.text, "longer than any field"));
}

static void test_field__decode_hostile(void **state)
{
	static const struct {
		const char *wire;
		size_t len;
		const char *says;
	} cases[] = {
		{ "text=a", 6, "no end" },
		{ "text\n", 5, "no '='" },
		{ "\n", 1, "no '='" },
		{ "=a\n", 3, "unknown key" },
		{ "nope=a\n", 7, "unknown key" },
		{ "text=a\ntext=b\n", 14, "twice" },
		{ "text=\ntext=b\n", 13, "twice" },
		{ "text=a\0b\n", 9, "NUL" },
		{ "text=12345678\n", 14, "longer" },
		{ "number=x\n", 9, "not a number" },
		{ "path=a\n", 7, "absolute" },
		{ "text=a\r\n", 8, "control" },
		{ "text=a\nword=a\nnumber=1\nx", 24, "no end" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_error err = { 0 };
		struct thing t = { 0 };

		assert_int_equal(ckpt_fields_decode(&fields, &t, cases[i].wire, cases[i].len, &err),
				 -EINVAL);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void test_field__decode_long_line(void **state)
{
	static char wire[64 * 1024];
	struct ckpt_error err = { 0 };
	struct thing t = { 0 };

	(void)state;
	memset(wire, 'a', sizeof(wire));
	memcpy(wire, "text=", 5);
	wire[sizeof(wire) - 1] = '\n';
	assert_int_equal(ckpt_fields_decode(&fields, &t, wire, sizeof(wire), &err), -EINVAL);
	assert_int_equal(ckpt_fields_decode(&fields, &t, wire, 0, &err), 0);
}

static const char *lookup(void *arg, const char *name)
{
	const char *const *pairs = arg;

	for (; *pairs; pairs += 2)
		if (strcmp(pairs[0], name) == 0)
			return pairs[1];
	return NULL;
}

static void test_field__from_env(void **state)
{
	const char *good[] = { "P_TEXT", "t", "P_word", "w", "P_WORD", "w", "P_NUMBER", "7", NULL };
	const char *bad[] = { "P_TEXT", "t", "P_NUMBER", "70", NULL };
	struct thing t = { .path = "/kept" };
	struct ckpt_error err = { 0 };
	char prefix[200];

	(void)state;
	assert_int_equal(ckpt_fields_from_env(&fields, &t, "P_", lookup, good, &err), 0);
	assert_string_equal(t.text, "t");
	assert_string_equal(t.word, ""); /* has no environment name */
	assert_string_equal(t.path, "/kept");
	assert_int_equal(t.number, 7);
	assert_int_equal(ckpt_fields_from_env(&fields, &t, "P_", lookup, bad, &err), -EINVAL);
	memset(prefix, 'P', sizeof(prefix) - 1);
	prefix[sizeof(prefix) - 1] = '\0';
	assert_int_equal(ckpt_fields_from_env(&fields, &t, prefix, lookup, good, &err), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_field__set),
		cmocka_unit_test(test_field__find),
		cmocka_unit_test(test_field__encode),
		cmocka_unit_test(test_field__numbers_travel),
		cmocka_unit_test(test_field__longest_line),
		cmocka_unit_test(test_field__decode_hostile),
		cmocka_unit_test(test_field__decode_long_line),
		cmocka_unit_test(test_field__from_env),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
