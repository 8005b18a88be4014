/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire/error.c: one line, no control characters, cut to fit.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "wire/error.h"
#include "wire/text.h"

static void test_error__fills_and_returns(void **state)
{
	struct ckpt_error err = { 0 };

	(void)state;
	assert_int_equal(ckpt_fail(&err, -ENOENT, "no %s, %d", "file", 3), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "no file, 3");
	assert_int_equal(ckpt_fail(NULL, -EIO, "nobody %s", "listens"), -EIO);
}

static void test_error__prints_no_controls(void **state)
{
	struct ckpt_error err = { 0 };

	(void)state;
	ckpt_fail(&err, -EIO, "cannot read %s\n", "a\033[2Jb");
	assert_string_equal(err.text, "cannot read a?[2Jb?");
	ckpt_fail(&err, -EIO, "%s", CKPT_QUOTE("a\033[2Jb"));
	assert_string_equal(err.text, "'a\\x1b[2Jb'");
}

static void test_error__cuts_what_is_too_long(void **state)
{
	struct ckpt_error err = { 0 };
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ckpt_fail(&err, -EIO, "%s", text);
	assert_int_equal(strlen(err.text), CKPT_ERROR_TEXT - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error__fills_and_returns),
		cmocka_unit_test(test_error__prints_no_controls),
		cmocka_unit_test(test_error__cuts_what_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
