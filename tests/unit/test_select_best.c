/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode best: its levels in their order, scores with a direction, best_epoch.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/integrity/verify.h"
#include "tests/unit/support/attempt.h"

/* Name of what mode best chooses; "none", "unknown". */
static const char *best_of(struct attempt_selection *a)
{
	struct ckpt_set *set = NULL;
	int r = ckpt_select_best(&a->s, &set);

	assert_in_range(r, 0, CKPT_SELECT_UNKNOWN);
	return r == 0 ? set->name : r == CKPT_SELECT_NONE ? "none" : "unknown";
}

static void expect_best(const struct scratch *dir, const char *glob, const char *name)
{
	struct attempt_selection *a = attempt_selection_new(dir, glob);

	assert_string_equal(best_of(a), name);
	attempt_selection_free(a);
}

static void test_select_best__levels(void **state)
{
	const char *glob = "mine-*.dat";
	struct scratch *dir = *state;

	expect_best(dir, glob, "none");
	attempt_put(dir, "model_20.pt", 2, 20);
	attempt_put(dir, "model_30.pt", 3, 30);
	expect_best(dir, glob, "model_30.pt");
	attempt_put(dir, "model_last.pt", 2, 25);
	expect_best(dir, glob, "model_last.pt");
	attempt_put(dir, "model_best.pt", 1, 10);
	expect_best(dir, glob, "model_best.pt");
	attempt_put(dir, "mine-1.dat", 1, 5);
	expect_best(dir, glob, "mine-1.dat");
	expect_best(dir, NULL, "model_best.pt");
}

static void test_select_best__a_damaged_level_leads_to_the_next(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "model_20.pt", 2, 20);
	attempt_put(dir, "model_30.pt", 3, 30);
	attempt_put_flipped(dir, "model_best.pt", 1, 10);
	attempt_put_cut(dir, "model_last.pt", 3, 31);
	attempt_put_flipped(dir, "model_40.pt", 4, 40);
	expect_best(dir, NULL, "model_30.pt");
}

static void test_select_best__unreadable_is_unknown(void **state)
{
	struct attempt_selection *a;

	attempt_put_broken(*state, "model_best.pt", 30);
	a = attempt_selection_new(*state, NULL);
	a->ctx.seam = &attempt_broken;
	assert_string_equal(best_of(a), "unknown");
	assert_int_equal(a->s.unreadable, 1);
	attempt_selection_free(a);
}

static void test_select_best__best_epoch(void **state)
{
	struct scratch *dir = *state;

	for (int i = 1; i <= 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		attempt_put(dir, name, i, i * 10);
	}
	expect_best(dir, NULL, "ckpt-4.pt");
	scratch_put(dir->fd, "epoch_info.json", "{\"last_completed_epoch\": 4, \"best_epoch\": 2}");
	expect_best(dir, NULL, "ckpt-2.pt");
	scratch_put(dir->fd, "epoch_info.json", "{\"best_epoch\": 7}");
	expect_best(dir, NULL, "ckpt-4.pt");
	scratch_put(dir->fd, "epoch_info.json", "{\"best_epoch\": 2");
	expect_best(dir, NULL, "ckpt-4.pt");
	attempt_put_flipped(dir, "ckpt-2.pt", 2, 20);
	scratch_put(dir->fd, "epoch_info.json", "{\"best_epoch\": 2}");
	expect_best(dir, NULL, "ckpt-4.pt");
}

static void test_select_best__what_is_called_best_comes_before_best_epoch(void **state)
{
	struct scratch *dir = *state;

	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put(dir, "model_best.pt", 1, 10);
	scratch_put(dir->fd, "epoch_info.json", "{\"best_epoch\": 2}");
	expect_best(dir, NULL, "model_best.pt");
}

/* Scores given to ckpt-1.pt ... as their files would. */
static const struct score_row {
	const char *name, *metric, *expected;
	struct {
		const char *key;
		double score;
	} scores[4]; /* of ckpt-1.pt ... ckpt-4.pt; NULL: none */
} score_rows[] = {
	{ "no scores", "", "ckpt-4.pt", { { NULL, 0 } } },
	{ "the lowest loss by default",
	  "",
	  "ckpt-2.pt",
	  { { "loss", 0.5 }, { "loss", 0.1 }, { "loss", 0.3 }, { "loss", 0.4 } } },
	{ "other keys are not compared by default",
	  "",
	  "ckpt-3.pt",
	  { { "val_loss", 0.1 }, { NULL, 0 }, { "loss", 0.3 }, { "acc", 0.01 } } },
	{ "loss:min said",
	  "loss:min",
	  "ckpt-2.pt",
	  { { "loss", 0.5 }, { "loss", 0.1 }, { "loss", 0.3 }, { NULL, 0 } } },
	{ "acc:max",
	  "acc:max",
	  "ckpt-3.pt",
	  { { "acc", 0.5 }, { "acc", 0.1 }, { "acc", 0.9 }, { "acc", 0.4 } } },
	{ "acc:min",
	  "acc:min",
	  "ckpt-2.pt",
	  { { "acc", 0.5 }, { "acc", 0.1 }, { "acc", 0.9 }, { "acc", 0.4 } } },
	{ "negative ones",
	  "elbo:max",
	  "ckpt-1.pt",
	  { { "elbo", -3 }, { "elbo", -5 }, { "elbo", -4 }, { NULL, 0 } } },
	{ "a key with a colon",
	  "val:loss:max",
	  "ckpt-1.pt",
	  { { "val:loss", 9 }, { "val:loss", 8 }, { NULL, 0 }, { NULL, 0 } } },
	{ "not a number is no score",
	  "loss:min",
	  "ckpt-3.pt",
	  { { "loss", NAN }, { "loss", INFINITY }, { "loss", 7 }, { "loss", -INFINITY } } },
	{ "level: most progress first",
	  "loss:min",
	  "ckpt-3.pt",
	  { { "loss", 1 }, { "loss", 1 }, { "loss", 1 }, { "loss", 2 } } },
	{ "nobody has the key",
	  "f1:max",
	  "ckpt-4.pt",
	  { { "loss", 1 }, { "loss", 1 }, { "loss", 1 }, { "loss", 2 } } },
};

static void give_score(struct attempt_selection *a, int i, const char *key, double score)
{
	struct ckpt_position *p;
	struct ckpt_set *set;
	char name[64];

	snprintf(name, sizeof(name), "ckpt-%d.pt", i + 1);
	set = attempt_set(a, name);
	ckpt_set_verify(&a->ctx, set, CKPT_LEVEL_STRUCTURE);
	p = &set->report->position;
	if (!key)
		return;
	p->has_loss = true;
	p->loss = score;
	ATTEMPT_SET(p->loss_key, key);
}

static void test_select_best__scores(void **state)
{
	for (int i = 1; i <= 4; i++) {
		char name[64];

		snprintf(name, sizeof(name), "ckpt-%d.pt", i);
		attempt_put(*state, name, i, i * 10);
	}
	for (size_t i = 0; i < sizeof(score_rows) / sizeof(*score_rows); i++) {
		const struct score_row *row = &score_rows[i];
		struct attempt_selection *a = attempt_selection_new(*state, NULL);
		const char *name;

		a->s.level = CKPT_LEVEL_STRUCTURE; /* a second check would forget the scores */
		ATTEMPT_SET(a->req->metric, row->metric);
		for (int j = 0; j < 4; j++)
			give_score(a, j, row->scores[j].key, row->scores[j].score);
		name = best_of(a);
		if (strcmp(name, row->expected) != 0)
			fail_msg("%s: %s", row->name, name);
		attempt_selection_free(a);
	}
}

/* The user's metric comes before names and before best_epoch. */
static void test_select_best__a_metric_beats_names(void **state)
{
	struct scratch *dir = *state;
	struct attempt_selection *a;

	attempt_put(dir, "ckpt-1.pt", 1, 10);
	attempt_put(dir, "ckpt-2.pt", 2, 20);
	attempt_put(dir, "model_best.pt", 1, 11);
	scratch_put(dir->fd, "epoch_info.json", "{\"best_epoch\": 1}");
	a = attempt_selection_new(dir, NULL);
	a->s.level = CKPT_LEVEL_STRUCTURE;
	ATTEMPT_SET(a->req->metric, "acc:max");
	give_score(a, 0, "acc", 0.5);
	give_score(a, 1, "acc", 0.6);
	assert_string_equal(best_of(a), "ckpt-2.pt");
	attempt_selection_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_select_best__levels),
		scratch_test(test_select_best__a_damaged_level_leads_to_the_next),
		scratch_test(test_select_best__unreadable_is_unknown),
		scratch_test(test_select_best__best_epoch),
		scratch_test(test_select_best__what_is_called_best_comes_before_best_epoch),
		scratch_test(test_select_best__scores),
		scratch_test(test_select_best__a_metric_beats_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
