/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pins: found by path, name, step or epoch, proved, never replaced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/attempt.h"

/* What a pin leads to: the set's name, or "none: TEXT", "unknown: TEXT". */
static const char *pinned(struct attempt_selection *a, const char *text)
{
	static char words[CKPT_ERROR_TEXT + 16];
	struct ckpt_error err = { 0 };
	struct ckpt_set *set = NULL;
	struct ckpt_mode mode;
	int r;

	assert_true(ckpt_mode_parse(text, &mode));
	assert_true(ckpt_mode_is_pin(&mode));
	r = ckpt_select_pinned(&a->s, &mode, &set, &err);
	assert_in_range(r, 0, CKPT_SELECT_UNKNOWN);
	if (r == 0)
		return set->name;
	snprintf(words, sizeof(words), "%s: %s", r == CKPT_SELECT_NONE ? "none" : "unknown",
		 err.text);
	return words;
}

/* Expects an answer that begins with @begin and holds @part. */
static void expect(const struct scratch *dir, const char *pin, const char *begin, const char *part)
{
	struct attempt_selection *a = attempt_selection_new(dir, NULL);
	const char *got;

	a->ctx.seam = &attempt_broken;
	got = pinned(a, pin);
	if (strncmp(got, begin, strlen(begin)) != 0 || (part && !strstr(got, part)))
		fail_msg("%s: %s", pin, got);
	attempt_selection_free(a);
}

static void test_select_pin__name(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put_cut(dir, "ckpt-3.pt", 3, 30);
	attempt_put_broken(dir, "ckpt-4.pt", 40);
	scratch_put(dir->fd, "state.of-mine", "bytes of an unknown format");
	expect(dir, "name:ckpt-1.pt", "ckpt-1.pt", NULL);
	expect(dir, "name:state.of-mine", "state.of-mine", NULL);
	expect(dir, "name:ckpt-3.pt", "none", "'ckpt-3.pt' is not valid: incomplete (truncated)");
	expect(dir, "name:ckpt-3.pt", "none", "Nothing was started");
	expect(dir, "name:ckpt-4.pt", "unknown", "'ckpt-4.pt' could not be read");
	expect(dir, "name:ckpt-9.pt", "none", "there is no checkpoint named 'ckpt-9.pt'");
	expect(dir, "name:a\nb", "none", "named 'a\\x0ab'");
}

static void test_select_pin__name_in_a_later_directory(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;

	scratch_put(dir->fd, "second/odd", "bytes of an unknown format");
	a = attempt_selection_new(dir, NULL);
	assert_int_equal(strncmp(pinned(a, "name:odd"), "none", 4), 0);
	snprintf(a->res.run_dirs[1], sizeof(a->res.run_dirs[1]), "%s/second", dir->path);
	a->res.n_run_dirs = 2;
	assert_string_equal(pinned(a, "name:odd"), "odd");
	attempt_selection_free(a);
}

static void test_select_pin__path(void **state)
{
	struct scratch *dir = *state;
	char pin[128];

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
	scratch_put(dir->fd, "elsewhere/any.bin", "bytes of an unknown format");
	snprintf(pin, sizeof(pin), "%s/ckpt-1.pt", dir->path);
	expect(dir, pin, "ckpt-1.pt", NULL);
	snprintf(pin, sizeof(pin), "%s/elsewhere/any.bin", dir->path);
	expect(dir, pin, "any.bin", NULL);
	snprintf(pin, sizeof(pin), "%s/ckpt-2.pt", dir->path);
	expect(dir, pin, "none", "'ckpt-2.pt' is not valid: corrupt (checksum)");
	snprintf(pin, sizeof(pin), "%s/ckpt-9.pt", dir->path);
	expect(dir, pin, "none", "does not exist");
	snprintf(pin, sizeof(pin), "%s/loop", dir->path);
	assert_int_equal(symlinkat("loop", dir->fd, "loop"), 0);
	expect(dir, pin, "unknown", NULL);
}

static void test_select_pin__number_by_name(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-10.pt", 1, 10);
	attempt_put(dir, "ckpt-20.pt", 2, 20);
	expect(dir, "step:10", "ckpt-10.pt", NULL);
	expect(dir, "step:20", "ckpt-20.pt", NULL);
	expect(dir, "epoch:2", "ckpt-20.pt", NULL);
	expect(dir, "step:1", "none", "there is no checkpoint of step 1 in");
	expect(dir, "epoch:10", "none", "there is no checkpoint of epoch 10 in");
}

static void test_select_pin__content_counts_not_the_name(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-1.pt", 1, 500);
	attempt_put(dir, "ckpt-500.pt", 9, 900);
	expect(dir, "step:500", "ckpt-1.pt", NULL);
	expect(dir, "step:1", "none", "no checkpoint of step 1 ");
}

static void test_select_pin__a_number_that_only_the_name_has(void **state)
{
	attempt_put(*state, "ckpt-30.pt", -1, -1);
	expect(*state, "step:30", "ckpt-30.pt", NULL);
	expect(*state, "step:31", "none", NULL);
}

static void test_select_pin__damaged_is_refused_not_replaced(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-10.pt", 1, 10);
	attempt_put_flipped(dir, "ckpt-20.pt", 2, 20);
	attempt_put_cut(dir, "ckpt-30.pt", 3, 30);
	attempt_put(dir, "other.pt", 2, 20);
	expect(dir, "step:20", "none", "'ckpt-20.pt' is not valid: corrupt (checksum)");
	expect(dir, "step:30", "none", "'ckpt-30.pt' is not valid: incomplete (truncated)");
}

static void test_select_pin__the_whole_one_of_two_with_the_number(void **state)
{
	struct scratch *dir = *state;

	attempt_put_flipped(dir, "ckpt-20.pt", 2, 20);
	attempt_put(dir, "model_20.pt", 2, 20);
	expect(dir, "step:20", "model_20.pt", NULL);
}

/* What the unreadable one holds is not known: it may be the pinned one. */
static void test_select_pin__unreadable_is_unknown(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-10.pt", 1, 10);
	attempt_put_broken(dir, "ckpt-4.pt", 77);
	expect(dir, "step:77", "unknown", "could not be read");
	expect(dir, "step:4", "unknown", "could not be read");
	expect(dir, "step:10", "ckpt-10.pt", NULL);
}

/* A rule of the run configuration holds for a pin too. */
static void test_select_pin__rules_hold(void **state)
{
	struct attempt_selection *a;
	const char *words;

	attempt_put(*state, "ckpt-10.pt", 1, 10);
	a = attempt_selection_new(*state, NULL);
	a->config.min_size_bytes = 1 << 30;
	words = pinned(a, "step:10");
	if (strncmp(words, "none", 4) != 0 || !strstr(words, "validation.min_size_bytes"))
		fail_msg("%s", words);
	attempt_selection_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_select_pin__name),
		scratch_test(test_select_pin__name_in_a_later_directory),
		scratch_test(test_select_pin__path),
		scratch_test(test_select_pin__number_by_name),
		scratch_test(test_select_pin__content_counts_not_the_name),
		scratch_test(test_select_pin__a_number_that_only_the_name_has),
		scratch_test(test_select_pin__damaged_is_refused_not_replaced),
		scratch_test(test_select_pin__the_whole_one_of_two_with_the_number),
		scratch_test(test_select_pin__unreadable_is_unknown),
		scratch_test(test_select_pin__rules_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
