/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run directories of a request: letters, hostile values, arrays, hooks, RunDirs=.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/resolve/expand.h"
#include "tests/unit/support/scratch.h"
#include "wire/text.h"

static char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];

static struct ckpt_request *request(void)
{
	struct ckpt_request *req = calloc(1, sizeof(*req));

	assert_non_null(req);
	ckpt_request_init(req);
	req->job_id = 1234;
	assert_true(ckpt_text_copy(req->work_dir, sizeof(req->work_dir), "/jobs"));
	assert_true(ckpt_text_copy(req->job_name, sizeof(req->job_name), "train"));
	assert_true(ckpt_text_copy(req->user, sizeof(req->user), "anna"));
	return req;
}

static void make_array(struct ckpt_request *req)
{
	req->array_job = 1230;
	req->array_task = 4;
}

static void set(char *member, size_t size, const char *text)
{
	assert_true(ckpt_text_copy(member, size, text));
}
#define SET(member, text) set((member), sizeof(member), (text))

/* Expands and returns the result; on 0 the only directory must be @expected. */
static void expect_dir(const struct ckpt_request *req, const char *expected)
{
	struct ckpt_error err = { 0 };
	int n = -1, r = ckpt_expand_dirs(req, dirs, &n, &err);

	if (r != 0)
		print_message("%s -> %d %s\n", req->dirs, r, err.text);
	assert_int_equal(r, 0);
	assert_int_equal(n, 1);
	assert_string_equal(dirs[0], expected);
}

static void expect_result(const struct ckpt_request *req, int expected, const char *text)
{
	struct ckpt_error err = { 0 };
	int n = -1, r = ckpt_expand_dirs(req, dirs, &n, &err);

	if (r != expected || !strstr(err.text, text))
		print_message("%s -> %d %s\n", req->dirs, r, err.text);
	assert_int_equal(r, expected);
	assert_int_equal(n, -1);
	assert_non_null(strstr(err.text, text));
}

static void test_expand__letters_and_lexical_form(void **state)
{
	static const struct {
		const char *dir, *expected;
	} cases[] = {
		{ "out", "/jobs/out" },
		{ "/abs", "/abs" },
		{ "/", "/" },
		{ ".", "/jobs" },
		{ "./out/", "/jobs/out" },
		{ "/a//b/./c///", "/a/b/c" },
		{ "/a/../b", "/a/../b" }, /* a link makes it another place: not ours to fold */
		{ "../out", "/jobs/../out" },
		{ ".hidden/..x", "/jobs/.hidden/..x" },
		{ "/s/%u/%x-%j", "/s/anna/train-1234" },
		{ "%A_%a", "/jobs/1234_0" },
		{ "100%%", "/jobs/100%" },
		{ "%%j%%", "/jobs/%j%" },
		{ "%%%j", "/jobs/%1234" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();

		SET(req->dirs, cases[i].dir);
		expect_dir(req, cases[i].expected);
		free(req);
	}
}

static void test_expand__hostile_values_stay_one_component(void **state)
{
	static const struct {
		const char *dir, *name, *expected;
	} cases[] = {
		{ "/s/%x", "a/b", "/s/a_b" },	    { "/s/%x", "/etc/cron.d", "/s/_etc_cron.d" },
		{ "/s/%x/t", "..", "/s/_/t" },	    { "/s/%x", "..", "/s/_" },
		{ "/s/%x", ".", "/s/_" },	    { "/s/%x%x/t", ".", "/s/_/t" },
		{ "/s/.%x/t", ".", "/s/_/t" },	    { "/s/%x./t", ".", "/s/_/t" },
		{ "/s/%x", "../..", "/s/.._.." },   { "/s/%x", "...", "/s/..." },
		{ "/s/%x", "a\nb\x7f", "/s/a_b_" }, { "/s/%x", "%j%u", "/s/%j%u" },
		{ "/s/%x", "a:b", "/s/a:b" },	    { "%x", "/etc", "/jobs/_etc" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();

		SET(req->dirs, cases[i].dir);
		SET(req->job_name, cases[i].name);
		expect_dir(req, cases[i].expected);
		free(req);
	}
}

static void test_expand__list_keeps_order_and_drops_repeats(void **state)
{
	struct ckpt_request *req = request();
	int n;

	(void)state;
	SET(req->dirs, "b:/c/:/c:a:./b");
	assert_int_equal(ckpt_expand_dirs(req, dirs, &n, NULL), 0);
	assert_int_equal(n, 3);
	assert_string_equal(dirs[0], "/jobs/b");
	assert_string_equal(dirs[1], "/c");
	assert_string_equal(dirs[2], "/jobs/a");
	SET(req->dirs, "1:2:3:4:5:6:7:8");
	assert_int_equal(ckpt_expand_dirs(req, dirs, &n, NULL), 0);
	assert_int_equal(n, 8);
	assert_string_equal(dirs[7], "/jobs/8");
	free(req);
}

static void test_expand__bad_lists_are_refused(void **state)
{
	static const struct {
		const char *dir, *text;
	} cases[] = {
		{ "a::b", "empty" },	       { ":a", "empty" },
		{ "%q", "unknown %-letter" },  { "a%", "unknown %-letter" },
		{ "%/x", "unknown %-letter" }, { "1:2:3:4:5:6:7:8:9", "more than 8" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();

		SET(req->dirs, cases[i].dir);
		expect_result(req, CKPT_EXPAND_REFUSED, cases[i].text);
		free(req);
	}
}

static void test_expand__too_long_is_refused_never_cut(void **state)
{
	struct ckpt_request *req = request();
	size_t fits = CKPT_PATH_MAX - strlen("/jobs/") - 1;

	(void)state;
	memset(req->dirs, 'd',
	       fits - 1); /* one byte is kept for the slash that a component ends in */
	assert_int_equal(ckpt_expand_dirs(req, dirs, (int[1]) { 0 }, NULL), 0);
	memset(req->dirs, 'd', fits + 1);
	expect_result(req, CKPT_EXPAND_REFUSED, "longer than");
	memset(req->dirs, 'd', CKPT_PATH_MAX + 100);
	expect_result(req, CKPT_EXPAND_REFUSED, "longer than");
	memset(req->dirs, 0, sizeof(req->dirs));
	memset(req->job_name, 'n', sizeof(req->job_name) - 1);
	SET(req->dirs, "%x%x%x%x%x");
	expect_result(req, CKPT_EXPAND_REFUSED, "longer than");
	free(req);
}

static void test_expand__default_directory(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	expect_dir(req, "/jobs/checkpoints");
	SET(req->default_dir, "/scratch/%u/ckpt");
	expect_dir(req, "/scratch/anna/ckpt");
	make_array(req);
	expect_dir(req, "/scratch/anna/ckpt/1230_4");
	SET(req->default_dir, "");
	expect_dir(req, "/jobs/checkpoints/1230_4");
	free(req);
}

static void test_expand__array_needs_a_letter_that_separates(void **state)
{
	static const struct {
		const char *dir;
		const char *expected; /* NULL: refused */
	} cases[] = {
		{ "out", NULL },
		{ "out/%A", NULL },
		{ "out/%x-%u", NULL },
		{ "out/%%a", NULL },
		{ "out/%%j", NULL },
		{ "out/%a", "/jobs/out/4" },
		{ "out/%j", "/jobs/out/1234" },
		{ "%A/%a/x", "/jobs/1230/4/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();

		make_array(req);
		SET(req->dirs, cases[i].dir);
		if (cases[i].expected)
			expect_dir(req, cases[i].expected);
		else
			expect_result(req, CKPT_EXPAND_REFUSED, "%a");
		free(req);
	}
}

static void test_expand__each_directory_of_an_array_is_looked_at(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	make_array(req);
	SET(req->dirs, "a/%a:shared");
	expect_result(req, CKPT_EXPAND_REFUSED, "'shared'");
	free(req);
}

static void test_expand__task_zero_is_an_array(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	req->array_job = 1230;
	req->array_task = 0;
	expect_dir(req, "/jobs/checkpoints/1230_0");
	SET(req->dirs, "shared");
	expect_result(req, CKPT_EXPAND_REFUSED, "%a");
	free(req);
}

/* What was decided for one task has its number in it, and no letter any more. */
static void test_expand__decided_of_an_array(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	make_array(req);
	SET(req->dirs, "/jobs/a/4");
	expect_result(req, CKPT_EXPAND_REFUSED, "'/jobs/a/4'");
	req->expanded = 1;
	expect_dir(req, "/jobs/a/4");
	free(req);
}

/* --ckpt-state as a run directory: one of its own for each task, absolute, no letter left. RunDirs=
 * says nothing about it. */
static void test_expand__state(void **state)
{
	static const struct {
		const char *state;
		bool array, hook;
		int result;
		const char *is; /* the directory, or what is said */
	} cases[] = {
		{ "/s", false, false, 0, "/s" },
		{ "s/./t/", false, false, 0, "/jobs/s/t" },
		{ "s-%j/%u%%", false, false, 0, "/jobs/s-1234/anna%" },
		{ "/s:t", false, false, 0, "/s:t" },
		{ "/s/%A_%a", true, false, 0, "/s/1230_4" },
		{ "/s", true, false, CKPT_EXPAND_REFUSED, "--ckpt-state=state/%A_%a" },
		{ "/s/%q", false, false, CKPT_EXPAND_REFUSED, "--ckpt-state: " },
		{ "/s/%a", false, true, CKPT_EXPAND_UNKNOWN, "--ckpt-state: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();
		struct ckpt_error err = { 0 };
		int n = -1, r;

		if (cases[i].array)
			make_array(req);
		req->in_hook = cases[i].hook;
		SET(req->dirs, "/allowed/a:/allowed/b");
		SET(req->run_dirs, "/allowed");
		SET(req->state, cases[i].state);
		r = ckpt_expand_roots(req, dirs, &n, &err);
		if (r != cases[i].result || !strstr(r ? err.text : dirs[0], cases[i].is))
			fail_msg("%s: %d, %s%s", cases[i].state, r, dirs[0], err.text);
		assert_int_equal(n, r ? -1 : 1);
		if (r == 0)
			assert_string_equal(dirs[0], cases[i].is);
		SET(req->work_dir, "jobs");
		assert_int_equal(ckpt_expand_roots(req, dirs, &n, &err), -EINVAL);
		free(req);
	}
}

static void test_expand__state_is_in_the_run_directories(void **state)
{
	struct ckpt_request *req = request();
	int n = 0;

	(void)state;
	SET(req->dirs, "a:/b/%u");
	assert_int_equal(ckpt_expand_roots(req, dirs, &n, NULL), 0);
	assert_int_equal(n, 2);
	assert_string_equal(dirs[0], "/jobs/a");
	assert_string_equal(dirs[1], "/b/anna");
	SET(req->user, "");
	assert_int_equal(ckpt_expand_roots(req, dirs, &n, NULL), CKPT_EXPAND_UNKNOWN);
	free(req);
}

static void test_expand__hook_does_not_guess(void **state)
{
	static const struct {
		const char *dir;
		int expected;
	} cases[] = {
		{ "", CKPT_EXPAND_UNKNOWN },
		{ "%a", CKPT_EXPAND_UNKNOWN },
		{ "%x", CKPT_EXPAND_UNKNOWN },
		{ "%A", CKPT_EXPAND_UNKNOWN },
		{ "a:%x", CKPT_EXPAND_UNKNOWN },
		{ "%u/%j", 0 },
		{ "out", 0 },
		{ "%%a", 0 },
		{ "%q%a", CKPT_EXPAND_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();
		int n;

		req->in_hook = 1;
		SET(req->job_name, "");
		SET(req->dirs, cases[i].dir);
		assert_int_equal(ckpt_expand_dirs(req, dirs, &n, NULL), cases[i].expected);
		free(req);
	}
}

/* The epilog that asked slurmctld: it says the job's own id where there is no array. */
static void test_expand__hook_that_knows(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	req->in_hook = 1;
	req->array_job = req->job_id;
	expect_dir(req, "/jobs/checkpoints");
	SET(req->dirs, "%A_%a");
	expect_dir(req, "/jobs/1234_0");
	make_array(req);
	expect_dir(req, "/jobs/1230_4");
	SET(req->dirs, "");
	expect_dir(req, "/jobs/checkpoints/1230_4");
	free(req);
}

static void test_expand__by_hand_there_is_no_job(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	req->job_id = 0;
	SET(req->job_name, "");
	expect_dir(req, "/jobs/checkpoints");
	SET(req->dirs, "%j");
	expect_result(req, CKPT_EXPAND_UNKNOWN, "%j");
	SET(req->dirs, "%A");
	expect_result(req, CKPT_EXPAND_UNKNOWN, "%A");
	SET(req->dirs, "%x");
	expect_result(req, CKPT_EXPAND_UNKNOWN, "%x");
	free(req);
}

static void test_expand__run_dirs_compare_by_component(void **state)
{
	static const struct {
		const char *allowed, *dir;
		int expected;
	} cases[] = {
		{ "/scratch", "/scratch", 0 },
		{ "/scratch", "/scratch/anna", 0 },
		{ "/scratch", "/scratch//anna/.", 0 },
		{ "/scratch/", "/scratch/anna", 0 },
		{ "//scratch/./", "/scratch/anna", 0 },
		{ "/home:/scratch", "/scratch/anna", 0 },
		{ "/", "/anything", 0 },
		{ "/jobs", "relative", 0 },
		{ "/scratch", "/scratch2", CKPT_EXPAND_REFUSED },
		{ "/scratch", "/scratc", CKPT_EXPAND_REFUSED },
		{ "/scratch", "/", CKPT_EXPAND_REFUSED },
		{ "/scratch", "relative", CKPT_EXPAND_REFUSED },
		{ "/scratch", "/scratch/../etc", CKPT_EXPAND_REFUSED },
		{ "/scratch", "/scratch/a/..", CKPT_EXPAND_REFUSED },
		{ "/scratch", "/scratch/..a", 0 },
		{ "/scratch", "/scratch/a:/etc", CKPT_EXPAND_REFUSED },
		{ "scratch", "/scratch", CKPT_EXPAND_REFUSED },
		{ ":", "/scratch", CKPT_EXPAND_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_request *req = request();
		int n, r;

		SET(req->run_dirs, cases[i].allowed);
		SET(req->dirs, cases[i].dir);
		r = ckpt_expand_dirs(req, dirs, &n, NULL);
		if (r != cases[i].expected)
			print_message("%s in %s: %d\n", cases[i].dir, cases[i].allowed, r);
		assert_int_equal(r, cases[i].expected);
		free(req);
	}
}

static void test_expand__run_dirs_hold_for_the_default_too(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	SET(req->run_dirs, "/scratch");
	expect_result(req, CKPT_EXPAND_REFUSED, "outside");
	SET(req->work_dir, "/scratch/a/../../etc");
	expect_result(req, CKPT_EXPAND_REFUSED, "'..'");
	free(req);
}

static void test_expand__needs_an_absolute_work_dir(void **state)
{
	struct ckpt_request *req = request();

	(void)state;
	SET(req->work_dir, "");
	expect_result(req, -EINVAL, "work directory");
	SET(req->work_dir, "rel");
	expect_result(req, -EINVAL, "work directory");
	free(req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expand__letters_and_lexical_form),
		cmocka_unit_test(test_expand__hostile_values_stay_one_component),
		cmocka_unit_test(test_expand__list_keeps_order_and_drops_repeats),
		cmocka_unit_test(test_expand__bad_lists_are_refused),
		cmocka_unit_test(test_expand__too_long_is_refused_never_cut),
		cmocka_unit_test(test_expand__default_directory),
		cmocka_unit_test(test_expand__array_needs_a_letter_that_separates),
		cmocka_unit_test(test_expand__each_directory_of_an_array_is_looked_at),
		cmocka_unit_test(test_expand__task_zero_is_an_array),
		cmocka_unit_test(test_expand__decided_of_an_array),
		cmocka_unit_test(test_expand__state),
		cmocka_unit_test(test_expand__state_is_in_the_run_directories),
		cmocka_unit_test(test_expand__hook_does_not_guess),
		cmocka_unit_test(test_expand__hook_that_knows),
		cmocka_unit_test(test_expand__by_hand_there_is_no_job),
		cmocka_unit_test(test_expand__run_dirs_compare_by_component),
		cmocka_unit_test(test_expand__run_dirs_hold_for_the_default_too),
		cmocka_unit_test(test_expand__needs_an_absolute_work_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
