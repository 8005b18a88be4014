/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments from a decision.
 */
#include <stdio.h>
#include <string.h>

#include "core/resolve/template.h"
#include "tests/unit/support/scratch.h"

static struct ckpt_decision sample(void)
{
	struct ckpt_decision d = { .path = "/run dir/a b/{tag}",
				   .root = "/run dir/a b",
				   .tag = "{tag}",
				   .start_epoch = "4",
				   .step = "1200" };

	return d;
}

/* The words joined by '|', or the result as "bad: ..." and "empty: ...". */
static const char *filled(const char *text, const struct ckpt_decision *d, char *buf, size_t size)
{
	_cleanup_template_ struct ckpt_template t = { 0 };
	struct ckpt_error err = { 0 };
	int r = ckpt_template_fill(text, d, &t, &err);
	size_t at = 0;

	buf[0] = '\0';
	if (r != 0) {
		snprintf(buf, size, "%s: %.400s", r == CKPT_TEMPLATE_BAD ? "bad" : "empty",
			 err.text);
		return buf;
	}
	for (size_t i = 0; i < t.n; i++)
		at += (size_t)snprintf(buf + at, size - at, "%s%s", i ? "|" : "", t.words[i]);
	assert_null(t.words[t.n]);
	return buf;
}

static void test_template__words_are_split_before_they_are_filled(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "" },
		{ "   ", "" },
		{ "--resume {path}", "--resume|/run dir/a b/{tag}" },
		{ "  --resume={path}   x ", "--resume=/run dir/a b/{tag}|x" },
		{ "{root}/{tag}", "/run dir/a b/{tag}" },
		{ "{start_epoch}{step}", "41200" },
		{ "{{path}", "{path}" },
		{ "{{{step}}", "{1200}" },
		{ "}{{", "}{" },
		{ "a\tb 'c d'", "a\tb|'c|d'" },
	};
	struct ckpt_decision d = sample();
	char buf[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(filled(cases[i].text, &d, buf, sizeof(buf)), cases[i].words);
}

static void test_template__what_is_no_placeholder(void **state)
{
	static const char *const bad[] = { "{pat}",  "{paths}", "{}",  "{",	      "--x={path",
					   "{Path}", "{ path}", "{{{", "{path {tag}", "{pa{th}" };
	struct ckpt_decision d = sample();
	char buf[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(strncmp(filled(bad[i], &d, buf, sizeof(buf)), "bad: ", 5), 0);
		assert_int_equal(strncmp(filled(bad[i], NULL, buf, sizeof(buf)), "bad: ", 5), 0);
	}
}

static void test_template__a_placeholder_without_a_value(void **state)
{
	struct ckpt_decision d = sample();
	char buf[1024];

	(void)state;
	assert_string_equal(filled("a {epoch}", NULL, buf, sizeof(buf)), "a|epoch"); /* its form */
	filled("a {epoch}", &d, buf, sizeof(buf));
	assert_non_null(strstr(buf, "empty: {epoch} has no value"));
	assert_non_null(strstr(buf, "--epoch=completed"));
	d.step[0] = '\0';
	filled("{step}", &d, buf, sizeof(buf));
	assert_non_null(strstr(buf, "empty: {step} has no value"));
	assert_null(strstr(buf, "--epoch"));
}

static void test_template__number_of_words_is_bounded(void **state)
{
	char text[2 * CKPT_TEMPLATE_WORDS + 3], buf[1024];

	(void)state;
	for (size_t i = 0; i < CKPT_TEMPLATE_WORDS; i++)
		memcpy(text + 2 * i, "w ", 3);
	assert_int_equal(strlen(filled(text, NULL, buf, sizeof(buf))), 2 * CKPT_TEMPLATE_WORDS - 1);
	strncat(text, "w", 2);
	assert_int_equal(strncmp(filled(text, NULL, buf, sizeof(buf)), "bad: ", 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_template__words_are_split_before_they_are_filled),
		cmocka_unit_test(test_template__what_is_no_placeholder),
		cmocka_unit_test(test_template__a_placeholder_without_a_value),
		cmocka_unit_test(test_template__number_of_words_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
