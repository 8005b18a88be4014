/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a decision says once it is clear what it is: modes, numbers, disagreements, the trail's
 * rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/integrity/verify.h"
#include "core/resolve/decide.h"
#include "core/resolve/trail.h"
#include "tests/unit/support/attempt.h"

/* Decides for @name, proved before, with nothing else looked at. */
static const struct ckpt_decision *choose(struct attempt_selection *a, const char *name)
{
	struct ckpt_set *set = attempt_set(a, name);

	assert_int_equal(ckpt_select_prove(&a->s, set), 0);
	a->res.decision.attempt = a->req->attempt;
	ATTEMPT_SET(a->res.decision.reason, "first-start");
	ckpt_decide_chosen(&a->ctx, a->req, &a->res, set);
	assert_ptr_equal(a->res.chosen, set);
	return &a->res.decision;
}

static void test_decide__refused(void **state)
{
	static struct ckpt_resolution res;
	char long_text[3000];

	(void)state;
	res.decision.attempt = 3;
	ckpt_decide_refused(&res, CKPT_REFUSE_PIN, "no %s\n here", "ckpt\x1b");
	assert_string_equal(res.decision.mode, "refused");
	assert_int_equal(res.decision.refusal, CKPT_REFUSE_PIN);
	assert_string_equal(res.decision.line, "attempt 3: no ckpt?? here");
	assert_int_equal(ckpt_decision_check(&res.decision, NULL), 0);
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	ckpt_decide_refused(&res, CKPT_REFUSE_OPTION, "%s", long_text);
	assert_int_equal(strlen(res.decision.line), sizeof(res.decision.line) - 1);
	assert_string_equal(res.decision.warning, "");
}

static void test_decide__fresh(void **state)
{
	static struct ckpt_resolution res;

	(void)state;
	ckpt_decide_fresh(&res);
	assert_string_equal(res.decision.mode, "fresh");
	assert_string_equal(res.decision.start_epoch, "0");
	assert_string_equal(res.decision.path, "");
	assert_string_equal(res.decision.step, "");
	assert_int_equal(ckpt_decision_check(&res.decision, NULL), 0);
}

static void test_decide__resume(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;
	const struct ckpt_decision *d;
	char path[128];

	attempt_put(dir, "ckpt-7.pt", 7, 70);
	a = attempt_selection_new(dir, NULL);
	ATTEMPT_SET(a->req->epoch, "completed");
	d = choose(a, "ckpt-7.pt");
	snprintf(path, sizeof(path), "%s/ckpt-7.pt", dir->path);
	assert_string_equal(d->mode, "resume");
	assert_string_equal(d->path, path);
	assert_string_equal(d->root, dir->path);
	assert_string_equal(d->tag, "ckpt-7.pt");
	assert_string_equal(d->evidence, "checksum");
	assert_string_equal(d->step, "70");
	assert_string_equal(d->resume_epoch, "7");
	assert_string_equal(d->start_epoch, "8");
	assert_string_equal(d->warning, "");
	assert_int_equal(d->settle, 0);
	assert_int_equal(ckpt_decision_check(d, NULL), 0);
	assert_int_equal(attempt_trail(&a->res, "ckpt-7.pt")->fate, CKPT_FATE_CHOSEN);
	assert_string_equal(attempt_trail(&a->res, "ckpt-7.pt")->why, "valid by checksum");
	attempt_selection_free(a);
}

static void test_decide__an_epoch_of_unknown_meaning_is_said(void **state)
{
	struct attempt_selection *a;
	const struct ckpt_decision *d;

	attempt_put(*state, "ckpt-7.pt", 7, 70);
	a = attempt_selection_new(*state, NULL);
	d = choose(a, "ckpt-7.pt");
	assert_string_equal(d->start_epoch, "");
	assert_string_equal(d->resume_epoch, "");
	assert_non_null(strstr(d->warning, "CKPT_START_EPOCH is empty: whether epoch 7 in"));
	attempt_selection_free(a);
}

static void test_decide__without_numbers_nothing_is_said(void **state)
{
	struct attempt_selection *a;
	const struct ckpt_decision *d;

	attempt_put(*state, "model_best.pt", -1, -1);
	a = attempt_selection_new(*state, NULL);
	d = choose(a, "model_best.pt");
	assert_string_equal(d->mode, "resume");
	assert_string_equal(d->step, "");
	assert_string_equal(d->start_epoch, "");
	assert_string_equal(d->warning, "");
	attempt_selection_free(a);
}

/* Weights, a pretrained one, one from elsewhere: fine-tuning starts at epoch 0, at no epoch done.
 */
static void test_decide__finetune(void **state)
{
	const struct torch_synthetic weights = { .epoch = 2, .step = 20, .weights_only = true };
	static const char *const names[] = { "model_2.pt", "pretrained_x.pt", "ckpt-5.pt" };
	struct scratch *dir = *state;

	torch_synthetic_write(dir->fd, "model_2.pt", &weights);
	attempt_put(dir, "pretrained_x.pt", 2, 20);
	attempt_put(dir, "ckpt-5.pt", 2, 20);
	for (size_t i = 0; i < 3; i++) {
		struct attempt_selection *a = attempt_selection_new(dir, NULL);
		const struct ckpt_decision *d;

		ATTEMPT_SET(a->req->epoch, "completed");
		if (i == 2) /* no run directory, though its name begins like this one's */
			a->res.run_dirs[0][strlen(dir->path) - 1] = '\0';
		d = choose(a, names[i]);
		assert_string_equal(d->mode, "finetune");
		assert_string_equal(d->start_epoch, "0");
		assert_string_equal(d->resume_epoch, "");
		assert_string_equal(d->step, "20");
		assert_non_null(strstr(d->line, "fine-tuning from"));
		attempt_selection_free(a);
	}
}

static void test_decide__below_a_run_directory_is_inside(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;

	scratch_put(dir->fd, "training/x", "");
	attempt_put(dir, "training/ckpt-5.pt", 2, 20);
	a = attempt_selection_new(dir, NULL);
	assert_string_equal(choose(a, "ckpt-5.pt")->mode, "resume");
	attempt_selection_free(a);
}

/* Only the work directory that the default searches, not what was fetched, counts as a run's. */
static void test_decide__the_default_work_directory(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;

	attempt_put(dir, "ckpt-5.pt", 2, 20);
	for (int request = 0; request <= 2; request++) {
		for (int by_default = 0; by_default <= 1; by_default++) {
			a = attempt_selection_new(dir, NULL);
			ATTEMPT_SET(a->res.run_dirs[0], "/elsewhere/checkpoints");
			a->res.fallback = by_default ? dir->path : NULL;
			a->res.catalog.runs[0].request = request;
			assert_string_equal(choose(a, "ckpt-5.pt")->mode,
					    by_default && request == 1 ? "resume" : "finetune");
			attempt_selection_free(a);
		}
	}
}

static void test_decide__newer_rejected_ones_have_to_be_settled(void **state)
{
	struct attempt_selection *a;

	attempt_put_cut(*state, "ckpt-1.pt", 1, 10);
	attempt_put(*state, "ckpt-2.pt", 2, 20);
	attempt_put_cut(*state, "ckpt-3.pt", 3, 30);
	attempt_put_flipped(*state, "ckpt-4.pt", 4, 40);
	a = attempt_selection_new(*state, NULL);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-1.pt")), CKPT_SELECT_NONE);
	assert_int_equal(choose(a, "ckpt-2.pt")->settle, 0);
	assert_false(attempt_trail(&a->res, "ckpt-1.pt")->newer);
	attempt_selection_free(a);

	a = attempt_selection_new(*state, NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const bad[] = { "ckpt-4.pt", "ckpt-3.pt", "ckpt-1.pt" };

		assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, bad[i])),
				 CKPT_SELECT_NONE);
	}
	assert_int_equal(choose(a, "ckpt-2.pt")->settle, 1);
	assert_true(attempt_trail(&a->res, "ckpt-3.pt")->newer); /* by its name */
	assert_true(attempt_trail(&a->res, "ckpt-4.pt")->newer); /* by its content */
	assert_false(attempt_trail(&a->res, "ckpt-1.pt")->newer);
	assert_non_null(strstr(a->res.decision.line,
			       "; 2 newer rejected: ckpt-4.pt checksum, ckpt-3.pt truncated"));
	attempt_selection_free(a);
}

/* As far as the chosen one, and written later: nothing is lost by it. */
static void test_decide__a_rejected_equal_is_not_newer(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;

	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put_flipped(dir, "model_2.pt", 2, 20);
	assert_int_equal(utimensat(dir->fd, "ckpt-2.pt",
				   (const struct timespec[]) { { .tv_sec = 9 }, { .tv_sec = 9 } },
				   0),
			 0);
	a = attempt_selection_new(dir, NULL);
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "model_2.pt")), CKPT_SELECT_NONE);
	assert_int_equal(choose(a, "ckpt-2.pt")->settle, 0);
	assert_false(attempt_trail(&a->res, "model_2.pt")->newer);
	attempt_selection_free(a);
}

/* One that a rule passed over is no reason to change anything. */
static void test_decide__a_newer_one_passed_over_is_left_alone(void **state)
{
	struct attempt_selection *a;

	attempt_put(*state, "ckpt-2.pt", 2, 20);
	attempt_put(*state, "ckpt-3.pt", 3, 30);
	a = attempt_selection_new(*state, NULL);
	a->config.min_size_bytes = 1 << 30;
	assert_int_equal(ckpt_select_prove(&a->s, attempt_set(a, "ckpt-3.pt")), CKPT_SELECT_NONE);
	a->config.min_size_bytes = 0;
	assert_int_equal(choose(a, "ckpt-2.pt")->settle, 0);
	assert_true(attempt_trail(&a->res, "ckpt-3.pt")->newer);
	assert_null(strstr(a->res.decision.line, "rejected"));
	attempt_selection_free(a);
}

static void test_decide__name_and_content_disagree(void **state)
{
	struct attempt_selection *a;

	attempt_put(*state, "model_step_90.pt", 2, 20);
	a = attempt_selection_new(*state, NULL);
	assert_non_null(strstr(choose(a, "model_step_90.pt")->warning,
			       "the name of model_step_90.pt says step 90, its content says 20; "
			       "the content counts"));
	assert_string_equal(a->res.decision.step, "20");
	attempt_selection_free(a);
}

static const struct info_row {
	const char *text, *epoch; /* --ckpt-epoch */
	const char *warning;	  /* a part; NULL: none about the file */
	int64_t settle;
} info_rows[] = {
	{ "{\"last_completed_epoch\": 7}", "", NULL, 0 },
	{ "{\"last_completed_epoch\": 9}", "",
	  "epoch_info.json says last_completed_epoch 9, the checkpoint ckpt-7.pt holds epoch 7",
	  0 },
	{ "{\"last_completed_epoch\": 9}", "completed",
	  "epoch_info.json says last_completed_epoch 9, the checkpoint ckpt-7.pt holds epoch 7",
	  1 },
	{ "{\"last_completed_epoch\": 5}", "completed",
	  "epoch_info.json says last_completed_epoch 5, the checkpoint ckpt-7.pt holds epoch 7",
	  0 },
	{ "{\"last_completed_epoch\": 6}", "next", NULL, 0 }, /* epoch 7 is next: 6 are done */
	{ "{\"last_completed_epoch\": 7}", "next",
	  "epoch_info.json says last_completed_epoch 7, the checkpoint ckpt-7.pt holds epoch 7",
	  1 },
	{ "{\"best_epoch\": 1}", "", NULL, 0 },
	{ "{\"last_completed_epoch\": 7", "", "epoch_info.json", 1 },
};

static void test_decide__epoch_info_disagrees(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-7.pt", 7, 70);
	for (size_t i = 0; i < sizeof(info_rows) / sizeof(*info_rows); i++) {
		const struct info_row *row = &info_rows[i];
		struct attempt_selection *a = attempt_selection_new(dir, NULL);
		const struct ckpt_decision *d;

		scratch_put(dir->fd, "epoch_info.json", row->text);
		ATTEMPT_SET(a->req->epoch, row->epoch);
		d = choose(a, "ckpt-7.pt");
		if (d->settle != row->settle ||
		    !!strstr(d->warning, "epoch_info.json") != !!row->warning ||
		    (row->warning && !strstr(d->warning, row->warning)))
			fail_msg("%s %s: settle %lld: %s", row->text, row->epoch,
				 (long long)d->settle, d->warning);
		attempt_selection_free(a);
	}
}

/* Sixteen that nobody needed are named, the others counted. */
static void test_decide__the_rest_of_the_trail(void **state)
{
	struct attempt_selection *a;

	for (int i = 1; i <= 20; i++) {
		char name[64];

		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		attempt_put(*state, name, i, i);
	}
	a = attempt_selection_new(*state, NULL);
	ckpt_set_verify(&a->ctx, attempt_set(a, "ckpt-19.pt"), CKPT_LEVEL_STRUCTURE);
	choose(a, "ckpt-20.pt");
	assert_int_equal(a->res.n_trail, 1 + 16);
	assert_int_equal(a->res.n_unseen, 3);
	assert_int_equal(attempt_trail(&a->res, "ckpt-19.pt")->fate, CKPT_FATE_PASSED_OVER);
	assert_int_equal(attempt_trail(&a->res, "ckpt-18.pt")->fate, CKPT_FATE_NOT_LOOKED_AT);
	attempt_selection_free(a);
}

static void test_decide__continuing_anothers_run_is_said(void **state)
{
	static const struct {
		bool first, mark, ours, said;
	} rows[] = {
		{ true, true, false, true },
		{ true, true, true, false },
		{ true, false, false, false },
		{ false, true, false, false },
	};

	attempt_put(*state, "ckpt-2.pt", 2, 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct attempt_selection *a = attempt_selection_new(*state, NULL);

		a->res.first = rows[i].first;
		a->res.state.have_mark = rows[i].mark;
		a->res.state.ours = rows[i].ours;
		a->res.state.mark.job_id = 1234;
		choose(a, "ckpt-2.pt");
		assert_int_equal(strstr(a->res.decision.line, "; continues the run of job 1234") !=
					 NULL,
				 rows[i].said);
		attempt_selection_free(a);
		a = attempt_selection_new(*state, NULL);
		a->res.first = rows[i].first;
		a->res.state.have_mark = rows[i].mark;
		a->res.state.ours = rows[i].ours;
		choose(a, "ckpt-2.pt"); /* by hand: its job is 0 */
		assert_null(strstr(a->res.decision.line, "job 0"));
		assert_int_equal(strstr(a->res.decision.line,
					"; continues a run that no job of Slurm's began") != NULL,
				 rows[i].said);
		attempt_selection_free(a);
	}
}

/* TensorFlow's pointer beside a bundle, which an index file alone stands for here. */
static void test_decide__pointer_names_another(void **state)
{
	static const struct {
		const char *pointer;
		bool said;
	} rows[] = {
		{ "model_checkpoint_path: \"ckpt-9\"\n", true },
		{ "model_checkpoint_path: \"ckpt-2\"\n", false },
		{ NULL, false },
	};
	struct scratch *dir = *state;

	scratch_put(dir->fd, "ckpt-2.index", "an index");
	scratch_put(dir->fd, "ckpt-2.data-00000-of-00001", "data");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct attempt_selection *a = attempt_selection_new(dir, NULL);
		struct ckpt_set *set = attempt_set(a, "ckpt-2");

		if (rows[i].pointer)
			scratch_put(dir->fd, "checkpoint", rows[i].pointer);
		else
			unlinkat(dir->fd, "checkpoint", 0);
		assert_int_equal(set->kind, CKPT_KIND_PREFIX);
		ckpt_set_verify(&a->ctx, set, CKPT_LEVEL_STRUCTURE);
		set->report->verdict.status = CKPT_VALID;
		set->report->contents = CKPT_CONTENTS_FULL;
		ckpt_decide_chosen(&a->ctx, a->req, &a->res, set);
		assert_int_equal(
			strstr(a->res.decision.warning, "names 'ckpt-9', chosen is ckpt-2") != NULL,
			rows[i].said);
		assert_int_equal(a->res.decision.settle, rows[i].said);
		attempt_selection_free(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decide__refused),
		cmocka_unit_test(test_decide__fresh),
		scratch_test(test_decide__resume),
		scratch_test(test_decide__an_epoch_of_unknown_meaning_is_said),
		scratch_test(test_decide__without_numbers_nothing_is_said),
		scratch_test(test_decide__finetune),
		scratch_test(test_decide__below_a_run_directory_is_inside),
		scratch_test(test_decide__the_default_work_directory),
		scratch_test(test_decide__newer_rejected_ones_have_to_be_settled),
		scratch_test(test_decide__a_rejected_equal_is_not_newer),
		scratch_test(test_decide__a_newer_one_passed_over_is_left_alone),
		scratch_test(test_decide__name_and_content_disagree),
		scratch_test(test_decide__epoch_info_disagrees),
		scratch_test(test_decide__the_rest_of_the_trail),
		scratch_test(test_decide__continuing_anothers_run_is_said),
		scratch_test(test_decide__pointer_names_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
