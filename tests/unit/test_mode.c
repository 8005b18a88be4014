/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The grammar of --ckpt-resume=MODE.
 */
#include <string.h>

#include "core/resolve/mode.h"
#include "tests/unit/support/scratch.h"

static const struct {
	const char *text;
	bool valid;
	enum ckpt_mode_kind kind;
	int64_t number;
	const char *rest;
	bool pin;
} rows[] = {
	{ "", true, CKPT_MODE_AUTO, 0, NULL, false },
	{ "auto", true, CKPT_MODE_AUTO, 0, NULL, false },
	{ "best", true, CKPT_MODE_BEST, 0, NULL, false },
	{ "fresh", true, CKPT_MODE_FRESH, 0, NULL, false },
	{ "step:0", true, CKPT_MODE_STEP, 0, NULL, true },
	{ "step:4500", true, CKPT_MODE_STEP, 4500, NULL, true },
	{ "step:9223372036854775807", true, CKPT_MODE_STEP, INT64_MAX, NULL, true },
	{ "epoch:12", true, CKPT_MODE_EPOCH, 12, NULL, true },
	{ "name:last.pt", true, CKPT_MODE_NAME, 0, "last.pt", true },
	{ "name:auto", true, CKPT_MODE_NAME, 0, "auto", true },
	{ "name:a:b", true, CKPT_MODE_NAME, 0, "a:b", true },
	{ "/scratch/run/ckpt", true, CKPT_MODE_PATH, 0, "/scratch/run/ckpt", true },
	{ "/", true, CKPT_MODE_PATH, 0, "/", true },
	{ .text = "automatic" },
	{ .text = "auto " },
	{ .text = "AUTO" },
	{ .text = "best:2" },
	{ .text = "fresher" },
	{ .text = "step" },
	{ .text = "step:" },
	{ .text = "step:-1" },
	{ .text = "step:+1" },
	{ .text = "step:1e3" },
	{ .text = "step: 1" },
	{ .text = "step:9223372036854775808" },
	{ .text = "epoch:" },
	{ .text = "epoch:1.5" },
	{ .text = "name:" },
	{ .text = "name:a/b" },
	{ .text = "name:/abs" },
	{ .text = "relative/path.pt" },
	{ .text = "ckpt-3.pt" },
	{ .text = ":" },
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_mode__grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ckpt_mode mode = { 0 };

		if (ckpt_mode_parse(rows[i].text, &mode) != rows[i].valid)
			fail_msg("'%s' is %sa mode", rows[i].text, rows[i].valid ? "no " : "");
		if (!rows[i].valid)
			continue;
		if (mode.kind != rows[i].kind || mode.number != rows[i].number ||
		    !same_text(mode.text, rows[i].rest))
			fail_msg("'%s' is kind %d, number %lld, text '%s'", rows[i].text, mode.kind,
				 (long long)mode.number, mode.text ? mode.text : "");
		assert_int_equal(ckpt_mode_is_pin(&mode), rows[i].pin);
	}
}

static void test_mode__no_mode_leaves_the_answer_alone(void **state)
{
	struct ckpt_mode mode;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].valid)
			continue;
		mode = (struct ckpt_mode) { CKPT_MODE_BEST, 77, "before" };
		assert_false(ckpt_mode_parse(rows[i].text, &mode));
		assert_int_equal(mode.kind, CKPT_MODE_BEST);
		assert_int_equal(mode.number, 77);
		assert_string_equal(mode.text, "before");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mode__grammar),
		cmocka_unit_test(test_mode__no_mode_leaves_the_answer_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
