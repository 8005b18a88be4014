/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is on tape stays there, but for the checkpoint that is about to be chosen: a tape system of
 * a few inodes, from which reading a file brings it back, as Lustre's does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/verify.h"
#include "core/resolve/again.h"
#include "tests/unit/support/attempt.h"

#define ON_TAPE_MAX 32

/* The files that are released, and how many were recalled. */
struct tape {
	ino_t ino[ON_TAPE_MAX];
	int n, recalled;
	struct ckpt_seam seam;
};

static int find(const struct tape *t, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < t->n; i++)
		if (t->ino[i] == st.st_ino)
			return i;
	return -1;
}

static uint32_t a_lustre(void *arg, int fd)
{
	(void)arg, (void)fd;
	return 0x0bd00bd0;
}

static uint64_t blocks_of(void *arg, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return find(arg, fd) >= 0 ? 1 : (uint64_t)st.st_blocks;
}

static ssize_t recalling_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct tape *t = arg;
	int i = find(t, fd);

	if (i >= 0) {
		t->ino[i] = t->ino[--t->n];
		t->recalled++;
	}
	return pread(fd, buf, len, off);
}

static void tape_init(struct tape *t)
{
	*t = (struct tape) {
		.seam = { .fs_type = a_lustre, .blocks = blocks_of, .pread = recalling_pread }
	};
	t->seam.arg = t;
}

static void release(struct tape *t, const struct scratch *dir, const char *name)
{
	struct stat st;

	assert_true(t->n < ON_TAPE_MAX);
	assert_int_equal(fstatat(dir->fd, name, &st, 0), 0);
	t->ino[t->n++] = st.st_ino;
}

static bool is_released(const struct tape *t, const struct scratch *dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);

	return find(t, fd) >= 0;
}

enum how { WHOLE, CUT, FLIPPED, WEIGHTS };

/* ckpt-@n.pt of 80 kB at step 10 @step; on tape if @t. */
static void put(struct tape *t, const struct scratch *dir, int n, long step, enum how how)
{
	const struct torch_synthetic like = { .epoch = step,
					      .step = 10 * step,
					      .cut = how == CUT,
					      .flip = how == FLIPPED,
					      .weights_only = how == WEIGHTS,
					      .floats = 30000 };
	char name[32];

	snprintf(name, sizeof(name), "ckpt-%d.pt", n);
	torch_synthetic_write(dir->fd, name, &like);
	if (t)
		release(t, dir, name);
}

static struct attempt_selection *selection(struct tape *t, const struct scratch *dir, bool start)
{
	struct attempt_selection *a = attempt_selection_new(dir, NULL);

	a->ctx.seam = &t->seam;
	a->ctx.no_recall = true;
	a->ctx.recall_chosen = start;
	return a;
}

static void expect(struct tape *t, const struct scratch *dir, const char *chosen, int recalled)
{
	struct attempt_selection *a = selection(t, dir, true);

	assert_string_equal(attempt_auto(a), chosen);
	assert_int_equal(t->recalled, recalled);
	assert_true(a->ctx.no_recall);
	assert_true((strstr(a->res.decision.warning, "released to tape") != NULL) ==
		    (recalled > 0));
	attempt_selection_free(a);
}

/* What a job that asks for @mode finds where epochs 1 to 4 are all on tape. */
static void resolve_four(struct tape *t, const struct scratch *dir, const char *mode,
			 struct ckpt_resolution *ret)
{
	struct ckpt_request *req = attempt_request(dir, 0);
	struct ckpt_error err = { 0 };
	struct ckpt_ctx ctx = {
		.threads = 1, .seam = &t->seam, .no_recall = true, .recall_chosen = true
	};

	tape_init(t);
	for (int n = 1; n <= 4; n++)
		put(t, dir, n, n, WHOLE);
	ATTEMPT_SET(req->mode, mode);
	assert_int_equal(ckpt_resolve(&ctx, req, ret, &err), 0);
	free(req);
}

static void test_recall__nothing_but_the_newest(void **state)
{
	const struct scratch *dir = *state;
	struct tape t;

	tape_init(&t);
	for (int i = 1; i <= 9; i++)
		put(&t, dir, i, i, WHOLE);
	expect(&t, dir, "ckpt-9.pt", 1);
	assert_false(is_released(&t, dir, "ckpt-9.pt"));
	assert_int_equal(t.n, 8);
}

static void test_recall__none_where_the_newest_is_there(void **state)
{
	const struct scratch *dir = *state;
	struct tape t;

	tape_init(&t);
	for (int i = 1; i <= 9; i++)
		put(i < 8 ? &t : NULL, dir, i, i, WHOLE);
	expect(&t, dir, "ckpt-9.pt", 0);
	assert_int_equal(t.n, 7);
}

/* Each is recalled in its turn: what it holds was not known before. */
static void test_recall__the_next_where_it_is_damaged(void **state)
{
	static const enum how kinds[] = { CUT, FLIPPED };
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct tape t;

		tape_init(&t);
		put(&t, dir, 1, 1, WHOLE);
		put(&t, dir, 2, 2, WHOLE);
		put(&t, dir, 3, 3, kinds[i]);
		expect(&t, dir, "ckpt-2.pt", 2);
		assert_true(is_released(&t, dir, "ckpt-1.pt"));
	}
}

/* Names order a series whose positions are unknown yet. */
static void test_recall__a_newer_name_before_what_is_there(void **state)
{
	const struct scratch *dir = *state;
	struct tape t;

	tape_init(&t);
	for (int i = 1; i <= 9; i++)
		put(i == 8 || i == 4 ? NULL : &t, dir, i, i, WHOLE);
	expect(&t, dir, "ckpt-9.pt", 1);
	tape_init(&t);
	for (int i = 1; i <= 9; i++)
		put(i == 8 || i == 4 ? NULL : &t, dir, i, i, i == 9 ? CUT : WHOLE);
	expect(&t, dir, "ckpt-8.pt", 1);
}

/* The number in a name is a step or not: who pins it is told, and gets no other. */
static void test_recall__a_pinned_number(void **state)
{
	const struct scratch *dir = *state;
	static const struct {
		const char *mode, *chosen;
		int recalled;
	} rows[] = {
		{ "step:3", "", 1 }, /* ckpt-3.pt is of step 30 */
		{ "epoch:3", "ckpt-3.pt", 1 },
		{ "step:30", "", 0 }, /* no name says it: all would have to be recalled */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		struct tape t;

		resolve_four(&t, dir, rows[i].mode, &res);
		assert_string_equal(res.decision.tag, rows[i].chosen);
		assert_int_equal(t.recalled, rows[i].recalled);
	}
}

/* Its name promises more than it holds: one that is there is further. */
static void test_recall__what_it_holds_decides(void **state)
{
	const struct scratch *dir = *state;
	struct tape t;

	tape_init(&t);
	put(NULL, dir, 5, 5, WHOLE);
	put(&t, dir, 7, 3, WHOLE);
	expect(&t, dir, "ckpt-5.pt", 1);
	tape_init(&t);
	put(NULL, dir, 5, 5, WHOLE);
	put(&t, dir, 7, 7, WEIGHTS);
	expect(&t, dir, "ckpt-5.pt", 1);
}

/* Who may not recall says that it could not be read, and decides by the others. */
static void test_recall__never_unasked(void **state)
{
	const struct scratch *dir = *state;
	struct attempt_selection *a;
	struct tape t;

	tape_init(&t);
	for (int i = 1; i <= 9; i++)
		put(i > 4 ? &t : NULL, dir, i, i, WHOLE);
	a = selection(&t, dir, false);
	assert_string_equal(attempt_auto(a), "ckpt-4.pt");
	assert_int_equal(t.recalled, 0);
	assert_int_equal(t.n, 5);
	assert_int_equal(a->s.unreadable, 5);
	assert_non_null(strstr(attempt_trail(&a->res, "ckpt-9.pt")->why, "released to tape"));
	attempt_selection_free(a);
	tape_init(&t);
	for (int i = 1; i <= 4; i++)
		put(&t, dir, i, i, WHOLE);
	for (int i = 5; i <= 9; i++)
		put(&t, dir, i, i, WHOLE);
	a = selection(&t, dir, false);
	assert_string_equal(attempt_auto(a), "unknown"); /* no reason for a fresh start */
	assert_int_equal(t.recalled, 0);
	attempt_selection_free(a);
}

/* A rule that goes by where it lies is asked first. */
static void test_recall__not_to_be_passed_over(void **state)
{
	const struct scratch *dir = *state;
	struct ckpt_request *req = attempt_request(dir, 0);
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct ckpt_decision first;
	struct ckpt_error err = { 0 };
	struct tape t;
	struct ckpt_ctx ctx = {
		.threads = 1, .seam = &t.seam, .no_recall = true, .recall_chosen = true
	};

	tape_init(&t);
	put(NULL, dir, 9, 9, WHOLE);
	ATTEMPT_SET(req->mode, "fresh");
	attempt_settle(req, &first);
	put(NULL, dir, 2, 2, WHOLE);
	release(&t, dir, "ckpt-9.pt");
	req->attempt = 1;
	assert_int_equal(ckpt_resolve(&ctx, req, &res, &err), 0);
	assert_string_equal(res.decision.tag, "ckpt-2.pt");
	assert_int_equal(t.recalled, 0);
	assert_non_null(strstr(attempt_trail(&res, "ckpt-9.pt")->why, "before this run began"));
	free(req);
}

static void test_recall__pins_and_best(void **state)
{
	static const struct {
		const char *mode, *chosen;
	} rows[] = {
		{ "name:ckpt-3.pt", "ckpt-3.pt" },
		{ "best", "ckpt-4.pt" },
	};
	const struct scratch *dir = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_resolution_ struct ckpt_resolution res = { 0 };
		struct tape t;

		resolve_four(&t, dir, rows[i].mode, &res);
		assert_string_equal(res.decision.tag, rows[i].chosen);
		assert_int_equal(t.recalled, 1);
		assert_non_null(strstr(res.decision.warning, "recalled"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_recall__nothing_but_the_newest),
		scratch_test(test_recall__none_where_the_newest_is_there),
		scratch_test(test_recall__the_next_where_it_is_damaged),
		scratch_test(test_recall__a_newer_name_before_what_is_there),
		scratch_test(test_recall__a_pinned_number),
		scratch_test(test_recall__what_it_holds_decides),
		scratch_test(test_recall__never_unasked),
		scratch_test(test_recall__not_to_be_passed_over),
		scratch_test(test_recall__pins_and_best),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
