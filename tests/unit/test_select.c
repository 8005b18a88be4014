/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode auto: how far it looks, whom it believes, what it says when nothing is usable.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/verify.h"
#include "tests/unit/support/attempt.h"
#include "tests/unit/support/sealed.h"

#define WINDOW 16

typedef void put_fn(const struct scratch *dir, const char *name, long epoch, long step);

/* ckpt-FROM.pt ... ckpt-TO.pt, epoch N at step 10 N. */
static void put_range(const struct scratch *dir, int from, int to, put_fn *put)
{
	char name[64];

	for (int i = from; i <= to; i++) {
		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		put(dir, name, i, 10L * i);
	}
}

/* Selects in @dir and expects @name; @looked sets read (0: any number). */
static void expect_auto(const struct scratch *dir, const char *name, size_t looked)
{
	struct attempt_selection *a = attempt_selection_new(dir, NULL);

	assert_string_equal(attempt_auto(a), name);
	if (looked)
		assert_int_equal(attempt_looked(&a->res), looked);
	attempt_selection_free(a);
}

static size_t trail_count(const struct ckpt_resolution *res, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < res->n_trail; i++)
		n += res->trail[i].set && strcmp(res->trail[i].set->name, name) == 0;
	return n;
}

static void test_select__nothing_there(void **state)
{
	expect_auto(*state, "none", 0);
}

static void test_select__one_window_is_enough(void **state)
{
	put_range(*state, 1, 40, attempt_put);
	expect_auto(*state, "ckpt-40.pt", WINDOW + 1); /* and the lowest name */
}

static void test_select__a_whole_window_is_cut(void **state)
{
	put_range(*state, 1, 24, attempt_put);
	put_range(*state, 25, 40, attempt_put_cut);
	expect_auto(*state, "ckpt-24.pt", 2 * WINDOW + 1);
}

static void test_select__a_whole_window_is_flipped(void **state)
{
	struct attempt_selection *a;

	put_range(*state, 1, 4, attempt_put);
	put_range(*state, 5, 20, attempt_put_flipped);
	a = attempt_selection_new(*state, NULL);
	assert_string_equal(attempt_auto(a), "ckpt-4.pt");
	for (int i = 5; i <= 20; i++) {
		char name[64];

		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		assert_int_equal(attempt_trail(&a->res, name)->fate, CKPT_FATE_REJECTED);
		assert_int_equal(trail_count(&a->res, name), 1);
	}
	attempt_selection_free(a);
}

static void test_select__at_structure_flips_are_not_seen(void **state)
{
	struct attempt_selection *a;

	attempt_put_flipped(*state, "ckpt-1.pt", 1, 10);
	a = attempt_selection_new(*state, NULL);
	a->s.level = CKPT_LEVEL_STRUCTURE;
	assert_string_equal(attempt_auto(a), "ckpt-1.pt");
	assert_int_equal(attempt_set(a, "ckpt-1.pt")->report->verdict.evidence,
			 CKPT_EVIDENCE_STRUCTURE);
	attempt_selection_free(a);
}

/* One later name with less progress, and the names below the window are believed no more. */
static void test_select__names_that_lie(void **state)
{
	put_range(*state, 1, 40, attempt_put);
	attempt_put(*state, "ckpt-38.pt", 1, 5);
	attempt_put(*state, "ckpt-2.pt", 99, 990);
	expect_auto(*state, "ckpt-2.pt", 40);
}

/* A damaged one between two says nothing of their order, and hides nothing of it. */
static void test_select__names_that_lie_across_a_damaged_one(void **state)
{
	put_range(*state, 1, 40, attempt_put);
	put_range(*state, 36, 39, attempt_put_cut);
	attempt_put(*state, "ckpt-40.pt", 1, 5);
	attempt_put(*state, "ckpt-2.pt", 99, 990);
	expect_auto(*state, "ckpt-2.pt", 40);
}

static void test_select__names_are_believed_below_an_honest_window(void **state)
{
	put_range(*state, 1, 40, attempt_put);
	attempt_put(*state, "ckpt-2.pt", 99, 990);
	expect_auto(*state, "ckpt-40.pt", WINDOW + 1);
}

/* Slots written in turn: the newest is one that a window of the highest slots does not show. */
static void test_select__slots_in_turn(void **state)
{
	for (int slot = 0; slot < 20; slot++) {
		char name[32];

		snprintf(name, sizeof(name), "ckpt-%d.pt", slot);
		attempt_put(*state, name, -1, slot <= 2 ? 100 + slot : 80 + slot);
	}
	expect_auto(*state, "ckpt-2.pt", 20);
	attempt_put_cut(*state, "ckpt-0.pt", -1, 100); /* tells nothing of the others */
	expect_auto(*state, "ckpt-19.pt", WINDOW + 1);
}

/* A loop that does not restore its epoch: with the attempt it begins again, the steps go on. */
static void test_select__epochs_that_begin_again_below_the_window(void **state)
{
	char name[64];

	for (int i = 0; i < 40; i++) {
		int epoch = i < 30 ? i : i - 30;

		snprintf(name, sizeof(name), "epoch_%d_step_%d.pt", epoch, 10 * i);
		attempt_put(*state, name, epoch, 10 * i);
	}
	expect_auto(*state, "epoch_9_step_390.pt", 40);
	attempt_put_cut(*state, "epoch_9_step_390.pt", 9, 390); /* by its age */
	expect_auto(*state, "epoch_8_step_380.pt", 40);
}

/* Steps that begin again with each epoch: a higher one below is the older one. */
static void test_select__steps_that_begin_again_take_one_look(void **state)
{
	const struct timespec earlier[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct scratch *dir = *state;
	char name[64];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "epoch_%d_step_%d.pt", 9 + i, i ? 10 : 50);
		attempt_put(dir, name, -1, -1);
		if (i == 0)
			assert_int_equal(utimensat(dir->fd, name, earlier, 0), 0);
	}
	expect_auto(dir, "epoch_48_step_10.pt", WINDOW + 1);
}

static void test_select__content_wins_inside_the_window(void **state)
{
	put_range(*state, 1, 10, attempt_put);
	attempt_put(*state, "ckpt-3.pt", 99, 990);
	expect_auto(*state, "ckpt-3.pt", 10);
}

static void test_select__series_compare_by_content(void **state)
{
	put_range(*state, 1, 20, attempt_put);
	attempt_put(*state, "model_7.pt", 30, 300);
	expect_auto(*state, "model_7.pt", WINDOW + 2);
}

/* A series whose newest are all damaged is looked down before an old one of another is taken. */
static void test_select__a_damaged_window_does_not_hide_its_series(void **state)
{
	put_range(*state, 1, 24, attempt_put);
	put_range(*state, 25, 40, attempt_put_cut);
	attempt_put(*state, "model_best.pt", 1, 5);
	expect_auto(*state, "ckpt-24.pt", 0);
	put_range(*state, 25, 40, attempt_put_flipped);
	expect_auto(*state, "ckpt-24.pt", 0);
}

static void test_select__weights_alone_come_last(void **state)
{
	const struct torch_synthetic weights = { .epoch = 9, .step = 90, .weights_only = true };
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	torch_synthetic_write(dir->fd, "ckpt-9.pt", &weights);
	expect_auto(dir, "ckpt-1.pt", 2);
}

static void test_select__pretrained_is_no_progress(void **state)
{
	attempt_put(*state, "pretrained_big.pt", 9, 90);
	expect_auto(*state, "none", 0);
	attempt_put(*state, "ckpt-1.pt", 1, 10);
	expect_auto(*state, "ckpt-1.pt", 1);
}

/* All files of @folder get the time @seconds. */
static void date(const struct scratch *dir, const char *name, time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	assert_int_equal(utimensat(dir->fd, name, times, 0), 0);
}

static void test_select__newest_run_first(void **state)
{
	struct scratch *dir = *state;

	scratch_put(dir->fd, "run-a/x", "");
	scratch_put(dir->fd, "run-b/x", "");
	attempt_put(dir, "run-a/ckpt-90.pt", 90, 900);
	attempt_put(dir, "run-b/ckpt-2.pt", 2, 20);
	date(dir, "run-a/ckpt-90.pt", 1000);
	date(dir, "run-b/ckpt-2.pt", 2000);
	expect_auto(dir, "ckpt-2.pt", 1);
	date(dir, "run-a/ckpt-90.pt", 3000);
	expect_auto(dir, "ckpt-90.pt", 1);
	attempt_put_cut(dir, "run-b/ckpt-2.pt", 2, 20);
	date(dir, "run-b/ckpt-2.pt", 9000);
	expect_auto(dir, "ckpt-90.pt", 2); /* nothing valid in the newest */
}

static void test_select__all_rejected_is_none(void **state)
{
	put_range(*state, 1, 3, attempt_put_cut);
	put_range(*state, 4, 6, attempt_put_flipped);
	expect_auto(*state, "none", 6);
}

static void test_select__unreadable_is_unknown(void **state)
{
	struct attempt_selection *a;

	put_range(*state, 1, 2, attempt_put_cut);
	attempt_put_broken(*state, "ckpt-3.pt", 30);
	a = attempt_selection_new(*state, NULL);
	a->ctx.seam = &attempt_broken;
	assert_string_equal(attempt_auto(a), "unknown");
	assert_int_equal(a->s.unreadable, 1);
	assert_int_equal(trail_count(&a->res, "ckpt-3.pt"), 1);
	assert_int_equal(attempt_trail(&a->res, "ckpt-3.pt")->fate, CKPT_FATE_REJECTED);
	attempt_selection_free(a);
}

static void test_select__unreadable_newest_is_counted(void **state)
{
	struct attempt_selection *a;

	attempt_put(*state, "ckpt-1.pt", 1, 10);
	attempt_put_broken(*state, "ckpt-3.pt", 30);
	a = attempt_selection_new(*state, NULL);
	a->ctx.seam = &attempt_broken;
	assert_string_equal(attempt_auto(a), "ckpt-1.pt");
	assert_int_equal(a->s.unreadable, 1);
	attempt_selection_free(a);
}

static int64_t late(void *arg)
{
	(void)arg;
	return 2000;
}

static void test_select__no_time_is_unknown_and_said(void **state)
{
	const struct ckpt_seam seam = { .now_ns = late };
	struct attempt_selection *a;

	attempt_put(*state, "ckpt-1.pt", 1, 10);
	a = attempt_selection_new(*state, NULL);
	a->ctx.seam = &seam;
	a->ctx.deadline_ns = 1000;
	assert_string_equal(attempt_auto(a), "unknown");
	assert_int_equal(attempt_trail(&a->res, "ckpt-1.pt")->fate, CKPT_FATE_BUDGET);
	attempt_selection_free(a);
}

static void test_select__a_cut_off_check_is_unproved(void **state)
{
	const struct torch_synthetic large = { .epoch = 1, .step = 10, .floats = 200000 };
	struct scratch *dir = *state;
	struct attempt_selection *a;

	torch_synthetic_write(dir->fd, "ckpt-1.pt", &large);
	a = attempt_selection_new(dir, NULL);
	a->ctx.max_bytes = 100000;
	assert_string_equal(attempt_auto(a), "ckpt-1.pt");
	assert_true(a->s.unproved);
	assert_int_equal(attempt_set(a, "ckpt-1.pt")->report->verdict.evidence,
			 CKPT_EVIDENCE_STRUCTURE);
	attempt_selection_free(a);
	a = attempt_selection_new(dir, NULL);
	assert_string_equal(attempt_auto(a), "ckpt-1.pt");
	assert_false(a->s.unproved);
	attempt_selection_free(a);
}

/* Notes all that is in @a as found by attempt 0, which began at a checkpoint of unknown position,
 * and makes it the state of attempt 1. */
static void all_foreign(struct attempt_selection *a, struct ckpt_run_state *state)
{
	const struct ckpt_position nowhere = { 0 };

	for (size_t i = 0; i < a->res.catalog.n_sets; i++) {
		struct ckpt_identity id;

		assert_int_equal(ckpt_set_identity(&a->res.catalog.sets[i], &id), 0);
		assert_int_equal(ckpt_mark_add(&state->mark, a->res.catalog.sets[i].name, &id), 0);
	}
	ckpt_mark_sort(&state->mark);
	ckpt_mark_set_base(&state->mark, "elsewhere.pt", &nowhere);
	state->have_mark = state->ours = true;
	a->req->attempt = 1;
	a->s.state = state;
}

static void test_select__last_resort(void **state)
{
	struct ckpt_run_state known = { 0 };
	struct attempt_selection *a;

	put_range(*state, 1, 3, attempt_put);
	a = attempt_selection_new(*state, NULL);
	all_foreign(a, &known);
	assert_string_equal(attempt_auto(a), "ckpt-3.pt");
	assert_int_equal(trail_count(&a->res, "ckpt-1.pt"), 1);
	attempt_selection_free(a);

	attempt_put(*state, "ckpt-2.pt", 2, 20); /* written again: this run's own */
	a = attempt_selection_new(*state, NULL);
	a->req->attempt = 1;
	a->s.state = &known;
	assert_string_equal(attempt_auto(a), "ckpt-2.pt");
	assert_int_equal(attempt_trail(&a->res, "ckpt-3.pt")->fate, CKPT_FATE_PASSED_OVER);
	attempt_selection_free(a);
	ckpt_mark_done(&known.mark);
}

/* Own progress in an older run comes before a last resort in the newest. */
static void test_select__last_resort_is_last_of_all_runs(void **state)
{
	struct ckpt_run_state known = { 0 };
	struct scratch *dir = *state;
	struct attempt_selection *a;

	scratch_put(dir->fd, "run-a/x", "");
	scratch_put(dir->fd, "run-b/x", "");
	attempt_put(dir, "run-b/ckpt-9.pt", 9, 90);
	a = attempt_selection_new(dir, NULL);
	all_foreign(a, &known);
	attempt_selection_free(a);
	attempt_put(dir, "run-a/ckpt-2.pt", 2, 20);
	date(dir, "run-a/ckpt-2.pt", 1000);
	a = attempt_selection_new(dir, NULL);
	a->req->attempt = 1;
	a->s.state = &known;
	assert_string_equal(attempt_auto(a), "ckpt-2.pt");
	attempt_selection_free(a);
	ckpt_mark_done(&known.mark);
}

static void test_select__prove_judges_one(void **state)
{
	struct attempt_selection *a;

	attempt_put(*state, "ckpt-1.pt", 1, 10);
	attempt_put_flipped(*state, "ckpt-2.pt", 2, 20);
	attempt_put_broken(*state, "ckpt-3.pt", 30);
	a = attempt_selection_new(*state, NULL);
	a->ctx.seam = &attempt_broken;
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), 0);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-2.pt")), CKPT_SELECT_NONE);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-3.pt")),
			 CKPT_SELECT_UNKNOWN);
	a->config.min_size_bytes = 1 << 30;
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), CKPT_SELECT_NONE);
	assert_int_equal(attempt_trail(&a->res, "ckpt-1.pt")->fate, CKPT_FATE_PASSED_OVER);
	attempt_selection_free(a);
}

/* A clock that jumps past every deadline once so many reads were done. */
struct jump {
	int reads, at;
};

static ssize_t counted_pread(void *arg, int fd, void *buf, size_t len, off_t off)
{
	struct jump *jump = arg;

	jump->reads++;
	return pread(fd, buf, len, off);
}

static int64_t jumping_clock(void *arg)
{
	const struct jump *jump = arg;

	return jump->reads >= jump->at ? 1000 : 1;
}

/* Wherever the budget ends after the structure was proved, the checkpoint is taken by its
 * structure. */
static void test_select__budget_ends_while_content_is_read(void **state)
{
	const struct scratch *dir = *state;
	struct jump jump = { .at = 1 << 20 };
	const struct ckpt_seam seam = { .now_ns = jumping_clock,
					.pread = counted_pread,
					.arg = &jump };
	struct attempt_selection *a;
	int structure, all;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	a = attempt_selection_new(dir, NULL);
	a->ctx.seam = &seam;
	ckpt_set_verify(&a->ctx, attempt_set(a, "ckpt-1.pt"), CKPT_LEVEL_STRUCTURE);
	structure = jump.reads;
	assert_string_equal(attempt_auto(a), "ckpt-1.pt");
	all = jump.reads;
	attempt_selection_free(a);
	for (int at = structure; at < all; at++) {
		jump = (struct jump) { .at = at };
		a = attempt_selection_new(dir, NULL);
		a->ctx.seam = &seam;
		a->ctx.deadline_ns = 500;
		assert_string_equal(attempt_auto(a), "ckpt-1.pt");
		assert_true(a->s.unproved);
		assert_int_equal(attempt_set(a, "ckpt-1.pt")->report->verdict.evidence,
				 CKPT_EVIDENCE_STRUCTURE);
		attempt_selection_free(a);
	}
	assert_true(all > structure);
}

/* What a seal shows unchanged is read again in part, where the site or the job asks for it. */
static void test_select__a_sample_of_what_is_sealed(void **state)
{
	const struct scratch *dir = *state;
	struct attempt_selection *a;

	attempt_put(dir, "model_5.pt", 5, 500);
	sealed_make(dir, "model_5.pt");
	for (int sample = 0; sample < 2; sample++) {
		a = attempt_selection_new(dir, NULL);
		a->s.sample = sample;
		a->ctx.seed = 3;
		assert_string_equal(attempt_auto(a), "model_5.pt");
		assert_int_equal(attempt_set(a, "model_5.pt")->report->verdict.evidence,
				 CKPT_EVIDENCE_SEAL_UNCHANGED);
		assert_int_equal(!!strstr(attempt_set(a, "model_5.pt")->report->verdict.note,
					  "1 of 1 chunks re-read (seed 3)"),
				 sample);
		attempt_selection_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_select__nothing_there),
		scratch_test(test_select__one_window_is_enough),
		scratch_test(test_select__a_whole_window_is_cut),
		scratch_test(test_select__a_whole_window_is_flipped),
		scratch_test(test_select__at_structure_flips_are_not_seen),
		scratch_test(test_select__names_that_lie),
		scratch_test(test_select__names_that_lie_across_a_damaged_one),
		scratch_test(test_select__names_are_believed_below_an_honest_window),
		scratch_test(test_select__slots_in_turn),
		scratch_test(test_select__epochs_that_begin_again_below_the_window),
		scratch_test(test_select__steps_that_begin_again_take_one_look),
		scratch_test(test_select__content_wins_inside_the_window),
		scratch_test(test_select__series_compare_by_content),
		scratch_test(test_select__a_damaged_window_does_not_hide_its_series),
		scratch_test(test_select__weights_alone_come_last),
		scratch_test(test_select__pretrained_is_no_progress),
		scratch_test(test_select__newest_run_first),
		scratch_test(test_select__all_rejected_is_none),
		scratch_test(test_select__unreadable_is_unknown),
		scratch_test(test_select__unreadable_newest_is_counted),
		scratch_test(test_select__no_time_is_unknown_and_said),
		scratch_test(test_select__a_cut_off_check_is_unproved),
		scratch_test(test_select__last_resort),
		scratch_test(test_select__last_resort_is_last_of_all_runs),
		scratch_test(test_select__prove_judges_one),
		scratch_test(test_select__budget_ends_while_content_is_read),
		scratch_test(test_select__a_sample_of_what_is_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
