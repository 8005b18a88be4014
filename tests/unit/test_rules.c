/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules by which a whole checkpoint is passed over: size, keys, lineage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/resolve/rules.h"
#include "tests/unit/support/attempt.h"

/* A set, a selection and a run's state that stand on their own. */
struct fixture {
	struct ckpt_set set;
	struct ckpt_report report;
	struct ckpt_request *req;
	struct ckpt_run_state state;
	struct ckpt_run_config config;
	struct ckpt_selection s;
	char why[256];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->req = calloc(1, sizeof(*f->req));
	ckpt_request_init(f->req);
	f->req->attempt = 1;
	f->set.name = "ckpt-5.pt";
	f->set.report = &f->report;
	f->report.identity = (struct ckpt_identity) { .ino = 7, .size = 100, .mtime_ns = 5 };
	f->report.position = (struct ckpt_position) { .has_step = true, .step = 50 };
	f->report.verdict.size_bytes = 100;
	f->state.have_mark = f->state.ours = true;
	f->s = (struct ckpt_selection) { .req = f->req, .state = &f->state, .config = &f->config };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	ckpt_mark_done(&f->state.mark);
	free(f->req);
	free(f);
	return 0;
}

static int ask(struct fixture *f)
{
	f->why[0] = '\0';
	return ckpt_rules_ask(&f->s, &f->set, f->why, sizeof(f->why));
}

static void expect_never(struct fixture *f, const char *part)
{
	assert_int_equal(ask(f), CKPT_RULE_NEVER);
	if (!strstr(f->why, part))
		fail_msg("'%s' is not in: %s", part, f->why);
}

static void expect_away(struct fixture *f, const char *part)
{
	assert_int_equal(ask(f), CKPT_RULE_TURNED_AWAY);
	if (!strstr(f->why, part))
		fail_msg("'%s' is not in: %s", part, f->why);
}

/* Attempt 0 found the set here, and began at @base (step @step; NULL: fresh). */
static void was_there(struct fixture *f, const char *base, int64_t step)
{
	const struct ckpt_position p = { .has_step = step >= 0, .step = step };

	assert_int_equal(ckpt_mark_add(&f->state.mark, f->set.name, &f->report.identity), 0);
	if (base)
		ckpt_mark_set_base(&f->state.mark, base, &p);
}

static void test_rules__without_a_reason_all_may_be_used(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ask(f), 0);
	f->s.state = NULL;
	assert_int_equal(ask(f), 0);
}

static void test_rules__smallest_size(void **state)
{
	struct fixture *f = *state;

	f->config.min_size_bytes = 100;
	assert_int_equal(ask(f), 0);
	f->config.min_size_bytes = 101;
	expect_away(f, "validation.min_size_bytes (100 of 101 bytes)");
	f->config.min_size_bytes = -1;
	assert_int_equal(ask(f), 0);
}

static void test_rules__required_keys(void **state)
{
	static char model[] = "model", ema[] = "ema";
	struct fixture *f = *state;

	f->config.required_keys[0] = model;
	expect_away(f, "'model' cannot be looked up in it");
	ckpt_report_add_key(&f->report, "optimizer", 9);
	expect_away(f, "'model' is not in it");
	f->report.keys_cut = true;
	expect_away(f, "'model' cannot be looked up in it");
	ckpt_report_add_key(&f->report, "model", 5);
	assert_int_equal(ask(f), 0);
	f->config.required_keys[1] = ema;
	f->report.keys_cut = false;
	expect_away(f, "'ema' is not in it");
}

static void test_rules__lineage_is_told_before_size_before_keys(void **state)
{
	static char model[] = "model";
	struct fixture *f = *state;

	f->config.required_keys[0] = model;
	expect_away(f, "required_keys");
	f->config.min_size_bytes = 1000;
	expect_away(f, "min_size_bytes");
	was_there(f, NULL, 0);
	expect_never(f, "this run began fresh");
}

/* A last resort that the configuration turns away is none. */
static void test_rules__turned_away_outweighs_last_resort(void **state)
{
	struct fixture *f = *state;

	f->report.position.has_step = false;
	f->set.has_number = false;
	was_there(f, "other.pt", 5);
	assert_int_equal(ask(f), CKPT_RULE_LAST_RESORT);
	f->config.min_size_bytes = 1000;
	expect_away(f, "min_size_bytes");
}

static void test_rules__foreign_to_a_fresh_run(void **state)
{
	struct fixture *f = *state;

	was_there(f, NULL, 0);
	expect_never(f, "this run began fresh");
}

static void test_rules__foreign_ahead_of_the_base(void **state)
{
	struct fixture *f = *state;

	was_there(f, "ckpt-1.pt", 10);
	expect_never(f, "(step 50; this run began at step 10)");
}

/* The step of a later epoch may be a lower number. */
static void test_rules__foreign_ahead_by_its_epoch(void **state)
{
	struct fixture *f = *state;
	struct ckpt_position *at = &f->report.position;

	was_there(f, "ckpt-9.pt", 50);
	snprintf(f->state.mark.base_epoch, sizeof(f->state.mark.base_epoch), "2");
	*at = (struct ckpt_position) {
		.has_step = true, .step = 12, .has_epoch = true, .epoch = 3
	};
	assert_int_equal(ask(f), 0);
	at->step_vague = true;
	expect_never(f, "lies ahead");
	at->epoch = 1;
	at->step = 99;
	assert_int_equal(ask(f), 0);
}

/* Where epochs begin again with an attempt: the later save is ahead, whatever its epoch. */
static void test_rules__foreign_by_its_time(void **state)
{
	struct fixture *f = *state;
	struct ckpt_position *at = &f->report.position;
	struct ckpt_past_attempt *row;

	was_there(f, "ckpt-9.pt", 50);
	snprintf(f->state.mark.base_epoch, sizeof(f->state.mark.base_epoch), "2");
	f->state.past.rows = row = calloc(CKPT_PAST_ATTEMPTS, sizeof(*row));
	f->state.past.last = 1;
	row->begun = true;
	*at = (struct ckpt_position) {
		.has_step = true, .step = 99, .has_epoch = true, .epoch = 1, .step_vague = true
	};
	snprintf(row->first.id, sizeof(row->first.id), "8-100-4");
	expect_never(f, "lies ahead");
	snprintf(row->first.id, sizeof(row->first.id), "8-100-6");
	assert_int_equal(ask(f), 0);
	at->epoch = 3;
	at->step = 12;
	assert_int_equal(ask(f), 0);
	snprintf(row->first.id, sizeof(row->first.id), "8-100-4");
	expect_never(f, "lies ahead");
	ckpt_past_done(&f->state.past);
}

/* Behind or level with the start, it is a fallback of the same line of work. */
static void test_rules__foreign_not_ahead(void **state)
{
	struct fixture *f = *state;

	was_there(f, "ckpt-9.pt", 50);
	assert_int_equal(ask(f), 0);
	f->report.position.step = 49;
	assert_int_equal(ask(f), 0);
	f->report.position.step = 51;
	expect_never(f, "lies ahead");
}

static void test_rules__foreign_that_compares_with_nothing(void **state)
{
	struct fixture *f = *state;

	was_there(f, "ckpt-1.pt", -1);
	assert_int_equal(ask(f), CKPT_RULE_LAST_RESORT);
	assert_non_null(strstr(f->why, "cannot be compared"));
}

/* Each alone makes the set ours: a changed file, the first attempt, another
 * job's mark, no mark. */
static void test_rules__ours(void **state)
{
	struct fixture *f = *state;

	was_there(f, "ckpt-1.pt", 10);
	f->report.identity.mtime_ns++;
	assert_int_equal(ask(f), 0);
	f->report.identity.mtime_ns--;
	f->report.identity.size++;
	assert_int_equal(ask(f), 0);
	f->report.identity.size--;
	f->report.identity.ino++;
	assert_int_equal(ask(f), 0);
	f->report.identity.ino--;
	f->req->attempt = 0;
	assert_int_equal(ask(f), 0);
	f->req->attempt = 1;
	f->state.ours = false;
	assert_int_equal(ask(f), 0);
	f->state.ours = true;
	f->state.have_mark = false;
	assert_int_equal(ask(f), 0);
	f->state.have_mark = true;
	assert_int_equal(ask(f), CKPT_RULE_NEVER);
}

/* A renamed file is the same file, and another one with the base's name is not the base. */
static void test_rules__names_change_nothing(void **state)
{
	struct fixture *f = *state;

	was_there(f, "ckpt-1.pt", 10);
	f->set.name = "ckpt-1.pt.bak";
	assert_int_equal(ask(f), CKPT_RULE_NEVER);
	f->set.name = "ckpt-1.pt";
	assert_int_equal(ask(f), CKPT_RULE_NEVER);
}

/* What lies beside the checkpoints is told from them by its name alone. */
static void test_rules__data_beside_checkpoints(void **state)
{
	static const struct {
		const char *name, *beside[2];
		int want;
	} rows[] = {
		{ "ckpt_losses-5.npy", { "ckpt-1.pt" }, CKPT_RULE_LAST_RESORT },
		{ "ckpt_losses-5.npy",
		  { "checkpoint_long-1.pt", "ckpt-1.pt" },
		  CKPT_RULE_LAST_RESORT },
		{ "ckpt_losses-5.pt", { "ckpt-1.pt" }, 0 },
		{ "ckpt_losses-5.npy", { "ckpt-1.npy" }, 0 },
		{ "samples-5.npy", { "ckpt-1.pt" }, 0 },
		{ "state-5.dat", { "state-4.pt" }, 0 }, /* the same words: one of them */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ckpt_set sets[2] = { { .name = "" }, { .name = "" } };
		struct ckpt_resolution res = { .catalog = { .sets = sets } };

		for (; res.catalog.n_sets < 2 && rows[i].beside[res.catalog.n_sets];
		     res.catalog.n_sets++)
			sets[res.catalog.n_sets].name = (char *)rows[i].beside[res.catalog.n_sets];
		f->set.name = (char *)rows[i].name;
		f->s.res = &res;
		if (ask(f) != rows[i].want)
			fail_msg("%s beside %s: %d (%s)", rows[i].name, rows[i].beside[0], ask(f),
				 f->why);
	}
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_rules__without_a_reason_all_may_be_used),
		fixture_test(test_rules__smallest_size),
		fixture_test(test_rules__required_keys),
		fixture_test(test_rules__lineage_is_told_before_size_before_keys),
		fixture_test(test_rules__turned_away_outweighs_last_resort),
		fixture_test(test_rules__foreign_to_a_fresh_run),
		fixture_test(test_rules__foreign_ahead_of_the_base),
		fixture_test(test_rules__foreign_ahead_by_its_epoch),
		fixture_test(test_rules__foreign_by_its_time),
		fixture_test(test_rules__foreign_not_ahead),
		fixture_test(test_rules__foreign_that_compares_with_nothing),
		fixture_test(test_rules__ours),
		fixture_test(test_rules__names_change_nothing),
		fixture_test(test_rules__data_beside_checkpoints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
