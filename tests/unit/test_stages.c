/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stages.json: what goes in comes out, two copies stand in for each other, one lock orders edits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/record/lock.h"
#include "core/record/stages.h"
#include "tests/unit/support/scratch.h"

/* A stage with two outputs, one of an odd name. */
static void fill(struct ckpt_stage *s, const char *name)
{
	struct ckpt_stage_output a = { .path = (char *)"/a\n\"b\"",
				       .given = (char *)"a\n\"b\"",
				       .files = 1,
				       .bytes = 999999999999999 };
	struct ckpt_stage_output b = {
		.path = (char *)"/d", .given = (char *)"./d", .directory = true, .unread = true
	};

	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->host, sizeof(s->host), "n1");
	snprintf(a.sha256, sizeof(a.sha256), "00ff");
	s->state = CKPT_STAGE_COMPLETE;
	s->job_id = 12;
	s->attempt = 3;
	s->exit_code = -1;
	assert_int_equal(ckpt_stage_add_output(s, &a), 0);
	assert_int_equal(ckpt_stage_add_output(s, &b), 0);
}

static int add_one(void *arg, struct ckpt_stages *stages)
{
	_cleanup_stage_ struct ckpt_stage s;

	fill(&s, arg);
	return ckpt_stages_put(stages, &s);
}

static void edit(const struct scratch *dir, const char *name)
{
	struct ckpt_ctx ctx = { 0 };

	assert_int_equal(ckpt_stages_edit(&ctx, dir->fd, add_one, (char *)name, NULL), 0);
}

static int load(const struct scratch *dir, struct ckpt_stages *ret)
{
	struct ckpt_ctx ctx = { 0 };

	return ckpt_stages_load(&ctx, dir->fd, ret, NULL);
}

static void test_stages__what_goes_in_comes_out(void **state)
{
	_cleanup_stages_ struct ckpt_stages got = { 0 };
	const struct ckpt_stage *s;

	edit(*state, "one");
	edit(*state, "two");
	edit(*state, "one"); /* again: replaced */
	assert_int_equal(load(*state, &got), 0);
	assert_int_equal(got.seq, 3);
	assert_int_equal(got.n, 2);
	s = ckpt_stages_find(&got, "one");
	assert_non_null(s);
	assert_true(s->state == CKPT_STAGE_COMPLETE && s->job_id == 12 && s->attempt == 3);
	assert_int_equal(s->exit_code, -1);
	assert_string_equal(s->host, "n1");
	assert_int_equal(s->n_outputs, 2);
	assert_string_equal(s->outputs[0].given, "a\n\"b\"");
	assert_true(s->outputs[0].bytes == 999999999999999 && !s->outputs[0].directory);
	assert_true(s->outputs[1].directory && s->outputs[1].unread);
	assert_null(ckpt_stages_find(&got, "three"));
	assert_true(ckpt_stages_remove(&got, "one"));
	assert_false(ckpt_stages_remove(&got, "one"));
	assert_string_equal(got.s[0].name, "two");
}

static void test_stages__one_copy_stands_in_for_the_other(void **state)
{
	static const char *const names[] = { CKPT_STAGES, CKPT_STAGES_COPY };
	const struct scratch *dir = *state;

	for (int i = 0; i < 2; i++) {
		_cleanup_stages_ struct ckpt_stages got = { 0 }, after = { 0 };
		char aside[64];

		edit(dir, "one");
		scratch_resize(dir->fd, names[i], 50);
		assert_int_equal(load(dir, &got), 0);
		assert_true(got.n == 1 && got.torn == (i == 0) && got.copy_torn == (i == 1));
		edit(dir, "one");
		snprintf(aside, sizeof(aside), "%s.torn", names[i]);
		assert_true(scratch_has(dir->fd, aside));
		assert_int_equal(load(dir, &after), 0);
		assert_false(after.torn || after.copy_torn);
	}
}

static void test_stages__absent_and_torn(void **state)
{
	_cleanup_stages_ struct ckpt_stages got = { 0 };
	const struct scratch *dir = *state;

	assert_int_equal(load(dir, &got), CKPT_STATE_ABSENT);
	edit(dir, "one");
	unlinkat(dir->fd, CKPT_STAGES_COPY, 0);
	scratch_resize(dir->fd, CKPT_STAGES, 10);
	assert_int_equal(load(dir, &got), CKPT_STATE_TORN); /* what it held is not known */
	assert_true(got.torn && got.n == 0);
	edit(dir, "two");
	assert_int_equal(load(dir, &got), 0);
	assert_int_equal(got.n, 1);
	ckpt_stages_done(&got);
	unlinkat(dir->fd, CKPT_STAGES, 0);
	assert_int_equal(symlinkat(CKPT_STAGES, dir->fd, CKPT_STAGES), 0);
	assert_int_equal(load(dir, &got), -ELOOP); /* could not find out, whatever the copy says */
}

/* The higher number counts, whichever file has it and whenever it was written. */
static void test_stages__the_newer_number_counts(void **state)
{
	_cleanup_stages_ struct ckpt_stages got = { 0 };
	const struct scratch *dir = *state;
	_cleanup_free_ char *old = NULL;

	edit(dir, "one");
	old = scratch_get(dir->fd, CKPT_STAGES);
	edit(dir, "two");
	scratch_put(dir->fd, CKPT_STAGES, old);
	assert_int_equal(load(dir, &got), 0);
	assert_int_equal(got.n, 2);
	ckpt_stages_done(&got);
	edit(dir, "three");
	scratch_put(dir->fd, CKPT_STAGES_COPY, old);
	assert_int_equal(load(dir, &got), 0);
	assert_int_equal(got.n, 3);
}

/* Any one bit: no other content is ever read from it. */
static void test_stages__any_flipped_bit_is_seen(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_free_ char *text = NULL;
	size_t len, harmless = 0, blanks = 0;

	edit(dir, "one");
	text = scratch_get(dir->fd, CKPT_STAGES);
	len = strlen(text);
	for (size_t i = 0; i < len; i++)
		blanks += text[i] <= ' ';
	for (size_t i = 0; i < 8 * len; i++) {
		_cleanup_stages_ struct ckpt_stages got = { 0 };
		_cleanup_free_ char *again = NULL;

		text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
		if (ckpt_stages_parse(text, len, &got) == 0) {
			harmless++; /* a blank became another (to cJSON, all up to a space) */
			again = ckpt_stages_print(&got);
			assert_true(scratch_holds(dir->fd, CKPT_STAGES, again));
		}
		text[i / 8] = (char)(text[i / 8] ^ (1 << i % 8));
	}
	assert_true(harmless <= 6 * blanks);
}

static void test_stages__names(void **state)
{
	static const char *const bad[] = { "", ".x", "-x", "a/b", "a b", "a\n", "\xc3\xa4" };
	char longest[CKPT_STAGE_NAME + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[CKPT_STAGE_NAME] = '\0';
	assert_false(ckpt_stage_is_name(longest));
	longest[CKPT_STAGE_NAME - 1] = '\0';
	assert_true(ckpt_stage_is_name(longest));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(ckpt_stage_is_name(bad[i]));
}

static int decline(void *arg, struct ckpt_stages *stages)
{
	(void)arg;
	(void)stages;
	return 5;
}

static void test_stages__an_edit_that_declines_changes_nothing(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_ctx ctx = { 0 };

	assert_int_equal(ckpt_stages_edit(&ctx, dir->fd, decline, NULL, NULL), 5);
	assert_false(scratch_has(dir->fd, CKPT_STAGES));
}

/* Eight processes with ten edits each: none is lost. */
static void test_stages__edits_at_once(void **state)
{
	_cleanup_stages_ struct ckpt_stages got = { 0 };
	int status;

	for (int p = 0; p < 8; p++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < 10; i++) {
			struct ckpt_ctx ctx = { 0 };
			char name[32];

			snprintf(name, sizeof(name), "s%d-%d", p, i);
			if (ckpt_stages_edit(&ctx, ((struct scratch *)*state)->fd, add_one, name,
					     NULL) != 0)
				_exit(1);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		assert_int_equal(status, 0);
	assert_int_equal(load(*state, &got), 0);
	assert_int_equal(got.n, 80);
	assert_int_equal(got.seq, 80);
}

/* Of two locks of one directory neither holds up the other. */
static void test_stages__locks_by_name(void **state)
{
	const struct scratch *dir = *state;
	_cleanup_close_ int a = ckpt_state_lock_named(dir->fd, "stage-a.lock", 0, NULL);
	_cleanup_close_ int b = ckpt_state_lock(dir->fd, 0, NULL);

	assert_true(a >= 0 && b >= 0);
	assert_int_equal(ckpt_state_lock_named(dir->fd, "stage-a.lock", 0, NULL), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_stages__what_goes_in_comes_out),
		scratch_test(test_stages__one_copy_stands_in_for_the_other),
		scratch_test(test_stages__absent_and_torn),
		scratch_test(test_stages__the_newer_number_counts),
		scratch_test(test_stages__any_flipped_bit_is_seen),
		scratch_test(test_stages__names),
		scratch_test(test_stages__an_edit_that_declines_changes_nothing),
		scratch_test(test_stages__edits_at_once),
		scratch_test(test_stages__locks_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
