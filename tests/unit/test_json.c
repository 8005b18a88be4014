/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/json.c: whole documents only, Python's numbers, typed look-ups.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "tests/unit/support/scratch.h"

static void test_json__takes_one_whole_value(void **state)
{
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
		{ "{}", 0 },
		{ " \n{\"a\": [1, 2]}\r\n\t ", 0 },
		{ "null", 0 },
		{ "3.5", 0 },
		{ "\xef\xbb\xbf{}", 0 }, /* a byte order mark */
		{ "", CKPT_JSON_TORN },
		{ "  ", CKPT_JSON_TORN },
		{ "{", CKPT_JSON_TORN },
		{ "{\"a\": 1", CKPT_JSON_TORN },
		{ "{\"a\": 1}}", CKPT_JSON_TORN },
		{ "{} {}", CKPT_JSON_TORN },
		{ "{}x", CKPT_JSON_TORN },
		{ "{\"a\": tru", CKPT_JSON_TORN },
		{ "{\"a\": \"x", CKPT_JSON_TORN },
		{ "{\"a\": \"x\\", CKPT_JSON_TORN },
		{ "hello", CKPT_JSON_TORN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ cJSON *value = NULL;
		struct ckpt_error err = { 0 };
		int r = ckpt_json_parse(cases[i].text, strlen(cases[i].text), &value, &err);

		if (r != cases[i].expected)
			fail_msg("%s: %d", cases[i].text, r);
		assert_true((value != NULL) == (r == 0));
		assert_true((err.text[0] != '\0') == (r != 0));
	}
}

static void test_json__reads_no_further_than_told(void **state)
{
	_cleanup_json_ cJSON *value = NULL, *cut = NULL;
	_cleanup_free_ char *exact = malloc(7);

	(void)state;
	memcpy(exact, "[1,NaN]", 7); /* no NUL behind it: a sanitizer would tell */
	assert_int_equal(ckpt_json_parse(exact, 7, &value, NULL), 0);
	assert_int_equal(ckpt_json_parse(exact, 6, &cut, NULL), CKPT_JSON_TORN);
	assert_int_equal(ckpt_json_parse("{}\0", 3, &cut, NULL), CKPT_JSON_TORN);
}

static void test_json__numbers_that_went_wrong_are_null(void **state)
{
	static const char text[] = "{\"loss\": NaN, \"a\": [Infinity, -Infinity, 1], "
				   "\"NaN\": \"NaN \\\" Infinity\", \"step\": 7}";
	_cleanup_json_ cJSON *value = NULL, *word = NULL;
	const cJSON *array;
	double number;
	int64_t step;

	(void)state;
	assert_int_equal(ckpt_json_parse(text, strlen(text), &value, NULL), 0);
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(value, "loss")));
	assert_false(ckpt_json_number(value, "loss", &number));
	assert_string_equal(ckpt_json_text(value, "NaN"), "NaN \" Infinity");
	assert_true(ckpt_json_int(value, "step", &step));
	assert_int_equal(step, 7);
	array = cJSON_GetObjectItem(value, "a");
	assert_int_equal(cJSON_GetArraySize(array), 3);
	assert_true(cJSON_IsNull(cJSON_GetArrayItem(array, 1)));
	assert_int_equal(ckpt_json_parse("{\"a\": NaNa}", 11, &word, NULL), CKPT_JSON_TORN);
}

static void test_json__only_non_finite_numbers(void **state)
{
	_cleanup_json_ cJSON *value = NULL;
	char text[3002];

	(void)state;
	text[0] = '[';
	for (int i = 0; i < 750; i++)
		memcpy(text + 1 + (size_t)i * 4, "NaN,", 4);
	text[3000] = ']'; /* in the last comma's place */
	assert_int_equal(ckpt_json_parse(text, 3001, &value, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(value), 750);
}

static void test_json__nesting_is_capped(void **state)
{
	_cleanup_json_ cJSON *value = NULL, *none = NULL;
	_cleanup_free_ char *text = malloc(2000000);
	struct ckpt_error err = { 0 };

	(void)state;
	memset(text, '[', 1000000);
	memset(text + 1000000, ']', 1000000);
	assert_int_equal(ckpt_json_parse(text + 999500, 1000, &value, NULL), 0);
	assert_int_equal(ckpt_json_parse(text, 2000000, &none, &err), CKPT_JSON_TORN);
	assert_non_null(strstr(err.text, "nested"));
}

static void test_json__integers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t value;
	} cases[] = {
		{ "{\"k\": 0}", true, 0 },
		{ "{\"k\": -3}", true, -3 },
		{ "{\"k\": 3.0}", true, 3 },
		{ "{\"k\": 9007199254740992}", true, INT64_C(9007199254740992) },
		{ "{\"k\": 9007199254740994}", false, 0 },
		{ "{\"k\": 1e300}", false, 0 },
		{ "{\"k\": 1e999}", false, 0 },
		{ "{\"k\": 2.5}", false, 0 },
		{ "{\"k\": \"3\"}", false, 0 },
		{ "{\"k\": true}", false, 0 },
		{ "{\"k\": null}", false, 0 },
		{ "{\"K\": 3}", false, 0 },
		{ "[3]", false, 0 },
		{ "3", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ cJSON *o = NULL;
		int64_t value = 77;

		assert_int_equal(ckpt_json_parse(cases[i].text, strlen(cases[i].text), &o, NULL),
				 0);
		if (ckpt_json_int(o, "k", &value) != cases[i].ok)
			fail_msg("%s", cases[i].text);
		assert_int_equal(value, cases[i].ok ? cases[i].value : 77);
	}
}

static void test_json__typed_look_ups(void **state)
{
	static const char text[] = "{\"t\": \"word\", \"yes\": true, \"no\": false, \"n\": -2.25}";
	_cleanup_json_ cJSON *o = NULL;
	double number = 0;

	(void)state;
	assert_int_equal(ckpt_json_parse(text, strlen(text), &o, NULL), 0);
	assert_string_equal(ckpt_json_text(o, "t"), "word");
	assert_null(ckpt_json_text(o, "n"));
	assert_null(ckpt_json_text(o, "none"));
	assert_true(ckpt_json_bool(o, "yes", false));
	assert_false(ckpt_json_bool(o, "no", true));
	assert_true(ckpt_json_bool(o, "t", true));
	assert_false(ckpt_json_bool(o, "none", false));
	assert_true(ckpt_json_number(o, "n", &number));
	assert_true(number == -2.25);
	assert_false(ckpt_json_number(o, "yes", &number));
	assert_null(ckpt_json_text(NULL, "t"));
}

static void test_json__stores_and_loads(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_json_ cJSON *o = cJSON_CreateObject(), *back = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_non_null(cJSON_AddNumberToObject(o, "last_completed_epoch", 3));
	assert_int_equal(ckpt_json_store(dir->fd, "info.json", o, NULL), 0);
	assert_int_equal(ckpt_file_slurp(NULL, dir->fd, "info.json", 4096, &text, &len, NULL), 0);
	assert_int_equal(strlen(text), len);
	assert_int_equal(text[len - 1], '\n');
	assert_int_equal(text[len - 2], '}');
	assert_int_equal(ckpt_json_load(NULL, dir->fd, "info.json", &back, NULL), 0);
	assert_true(cJSON_Compare(o, back, true));
	assert_int_equal(ckpt_json_store(dir->fd, "no/info.json", o, NULL), -ENOENT);
}

static void test_json__load_says_what_is_wrong(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		const char *name;
		int expected;
		const char *word;
	} cases[] = {
		{ "none", -ENOENT, "'none'" },	      { "empty", CKPT_JSON_TORN, "'empty'" },
		{ "torn", CKPT_JSON_TORN, "'torn'" }, { "large", CKPT_JSON_LARGE, "'large'" },
		{ "fifo", -EINVAL, "'fifo'" },
	};

	scratch_put(dir->fd, "empty", "");
	scratch_put(dir->fd, "torn", "{\"a\": ");
	scratch_sparse(dir->fd, "large", CKPT_JSON_MAX + 1);
	assert_int_equal(mkfifoat(dir->fd, "fifo", 0666), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_json_ cJSON *value = NULL;
		struct ckpt_error err = { 0 };

		assert_int_equal(ckpt_json_load(NULL, dir->fd, cases[i].name, &value, &err),
				 cases[i].expected);
		assert_int_equal(err.code, cases[i].expected);
		assert_non_null(strstr(err.text, cases[i].word));
		assert_null(value);
	}
}

/* What is not known is null. */
static void test_json__adds_what_is_known(void **state)
{
	_cleanup_json_ cJSON *o = cJSON_CreateObject();
	_cleanup_free_ char *text = NULL;

	(void)state;
	ckpt_json_add_text(o, "a", "x");
	ckpt_json_add_text(o, "b", "");
	ckpt_json_add_text(o, "c", NULL);
	ckpt_json_add_number(o, "d", true, 1.5);
	ckpt_json_add_number(o, "e", false, 1.5);
	ckpt_json_add_number(o, "f", true, NAN);
	text = cJSON_PrintUnformatted(o);
	assert_string_equal(text, "{\"a\":\"x\",\"b\":null,\"c\":null,\"d\":1.5,\"e\":null,"
				  "\"f\":null}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__takes_one_whole_value),
		cmocka_unit_test(test_json__reads_no_further_than_told),
		cmocka_unit_test(test_json__numbers_that_went_wrong_are_null),
		cmocka_unit_test(test_json__only_non_finite_numbers),
		cmocka_unit_test(test_json__nesting_is_capped),
		cmocka_unit_test(test_json__integers),
		cmocka_unit_test(test_json__typed_look_ups),
		cmocka_unit_test(test_json__adds_what_is_known),
		scratch_test(test_json__stores_and_loads),
		scratch_test(test_json__load_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
