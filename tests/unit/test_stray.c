/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files under names that are no checkpoint's: what a fresh start beside them says, and that nothing
 * is looked at where a candidate is, or by a hook.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/resolve/resolve.h"
#include "tests/unit/support/attempt.h"

#define HINT "--ckpt-glob"

/* The line of attempt 0 in @s. */
static void line_of(const struct scratch *s, bool in_hook, char *ret, size_t size)
{
	struct ckpt_request *req = attempt_request(s, 0);
	struct ckpt_resolution res = { 0 };

	req->in_hook = in_hook;
	attempt_resolve(req, &res);
	snprintf(ret, size, "%s", res.decision.line);
	ckpt_resolution_done(&res);
	free(req);
}

static void expect_line(const struct scratch *s, bool in_hook, const char *holds, const char *lacks)
{
	char line[2048];

	line_of(s, in_hook, line, sizeof(line));
	print_message("%s\n", line);
	assert_true(!holds || strstr(line, holds));
	assert_true(!lacks || !strstr(line, lacks));
}

static void test_stray__is_named(void **state)
{
	const struct scratch *s = *state;

	scratch_put(s->fd, "notes.txt", "hello");
	expect_line(s, false, "starting fresh: no checkpoint in /", HINT);
	attempt_put(s, "weights-of-mine.dat", 1, 10);
	expect_line(s, false, "'weights-of-mine.dat' is a file of format torch-zip: " HINT, NULL);
	expect_line(s, true, "no checkpoint in /", HINT);
}

static void test_stray__not_beside_a_candidate(void **state)
{
	const struct scratch *s = *state;

	attempt_put(s, "weights-of-mine.dat", 1, 10);
	attempt_put(s, "ckpt-1.pt", 1, 10);
	expect_line(s, false, "resuming from", HINT);
	scratch_resize(s->fd, "ckpt-1.pt", 10); /* rejected: that is the reason, not this */
	expect_line(s, false, "starting fresh; 1 rejected", HINT);
}

/* What is cut off, hidden or a folder is no help; of many files the newest few are read. */
static void test_stray__of_what_is_there(void **state)
{
	const struct scratch *s = *state;
	struct timespec at[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char name[32];

	attempt_put_cut(s, "cut.dat", 1, 10);
	attempt_put(s, ".hidden.dat", 1, 10);
	assert_int_equal(mkdirat(s->fd, "folder.dat", 0700), 0);
	expect_line(s, false, NULL, HINT);
	attempt_put(s, "old.dat", 1, 10);
	assert_int_equal(utimensat(s->fd, "old.dat", at, 0), 0);
	expect_line(s, false, "old.dat", NULL);
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "text%d", i);
		scratch_put(s->fd, name, "text");
	}
	expect_line(s, false, NULL, HINT);
}

/* Endings of formats that hold other things too, under a checkpoint's name. */
static void test_stray__candidates_of_any_ending(void **state)
{
	static const char *const names[] = { "ckpt-1.dat", "ckpt-2.bin", "ckpt_step30.dat" };
	const struct scratch *s = *state;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		attempt_put(s, names[i], -1, 10 * (long)(i + 1));
		expect_line(s, false, names[i], "fresh");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_stray__is_named),
		scratch_test(test_stray__not_beside_a_candidate),
		scratch_test(test_stray__of_what_is_there),
		scratch_test(test_stray__candidates_of_any_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
