/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders: single rules by name, and totality by random lists of everything mixed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalog/order.h"

#define NO INT64_MIN

/* A set in short: numbers from inside (verified ones) and what breaks ties. */
struct brief {
	const char *name;
	int64_t step, epoch, number;
	int64_t mtime;
	bool vague;
	enum ckpt_role role;
	enum ckpt_evidence evidence;
	enum ckpt_contents contents;
	const char *series;
};

#define LAST CKPT_ROLE_LAST
#define BEST CKPT_ROLE_BEST
#define NUMBERED CKPT_ROLE_NUMBERED
#define SUPERSEDED CKPT_ROLE_SUPERSEDED
#define STRUCTURE CKPT_EVIDENCE_STRUCTURE
#define CHECKSUM CKPT_EVIDENCE_CHECKSUM
#define WEIGHTS CKPT_CONTENTS_WEIGHTS

static void fill(struct ckpt_set *set, struct ckpt_report *report, const struct brief *b)
{
	*report = (struct ckpt_report){
		.verdict.evidence = b->evidence,
		.contents = b->contents,
		.identity.mtime_ns = b->mtime,
		.position = {
			.has_step = b->step != NO,
			.step = b->step,
			.step_vague = b->vague,
			.has_epoch = b->epoch != NO,
			.epoch = (double)b->epoch,
		},
	};
	*set = (struct ckpt_set) {
		.dir = "/run",
		.name = b->name,
		.series = b->series ? b->series : "#",
		.role = b->role,
		.has_number = b->number != NO,
		.number = b->number,
		.report = report,
	};
}

struct expectation {
	const char *what;
	struct brief sets[6]; /* in the order expected */
};

#define SET(name_, step_, epoch_, number_, mtime_, ...)                                            \
	{                                                                                          \
		.name = name_, .step = step_, .epoch = epoch_, .number = number_, .mtime = mtime_, \
		__VA_ARGS__                                                                        \
	}

static const struct expectation expectations[] = {
	{ "numbers as numbers", { SET("a", 1000, NO, NO, 1), SET("b", 999, NO, NO, 2) } },
	{ "by step where all have one",
	  { SET("a", 30, 1, NO, 1), SET("b", 20, 9, NO, 2), SET("c", 10, NO, NO, 3) } },
	{ "steps that begin again with each epoch",
	  { SET("c", 12, 3, NO, 9, .vague = true), SET("b", 480, 2, NO, 8, .vague = true),
	    SET("a", 12, 2, NO, 7, .vague = true) } },
	{ "so too where no time tells",
	  { SET("b", 12, 3, NO, 1, .vague = true), SET("a", 480, 2, NO, 1, .vague = true) } },
	{ "epochs that begin again with each attempt",
	  { SET("d", 1200, 1, NO, 9, .vague = true), SET("c", 1100, 0, NO, 8, .vague = true),
	    SET("b", 1000, 9, NO, 7, .vague = true), SET("a", 900, 8, NO, 6, .vague = true) } },
	{ "one copied later is outvoted",
	  { SET("d", 10, 4, NO, 7, .vague = true), SET("c", 20, 3, NO, 6, .vague = true),
	    SET("b", 30, 2, NO, 9, .vague = true), SET("a", 40, 1, NO, 4, .vague = true) } },
	{ "one step that is sure makes all of them steps of the run",
	  { SET("a", 480, 2, NO, 1), SET("b", 12, 3, NO, 2, .vague = true) } },
	{ "an average after what it is one of",
	  { SET("m-step=5.ckpt", 5, NO, NO, 1, .evidence = STRUCTURE),
	    SET("m-step=5-EMA.ckpt", 5, NO, NO, 9, .role = LAST, .evidence = CHECKSUM),
	    SET("m-step=4.ckpt", 4, NO, NO, 8) } },
	{ "with more progress it comes first",
	  { SET("last-EMA.ckpt", 6, NO, NO, 1), SET("last.ckpt", 5, NO, NO, 9) } },
	{ "an average by age alone",
	  { SET("last.pt", NO, NO, NO, 1), SET("ema_last.pt", NO, NO, NO, 9, .role = LAST) } },
	{ "an average by its series' number",
	  { SET("ckpt_9.pt", NO, NO, 9, 1, .role = NUMBERED, .series = "ckpt_#.pt"),
	    SET("ckpt_ema_9.pt", NO, NO, 9, 9, .role = NUMBERED, .series = "ckpt_ema_#.pt") } },
	{ "the only one of its name is no average of another",
	  { SET("model_ema.pt", NO, NO, NO, 9), SET("best.pt", NO, NO, NO, 1, .role = BEST) } },
	{ "by epoch where not all have a step",
	  { SET("a", NO, 5, NO, 1), SET("b", 900, 4, NO, 2), SET("c", NO, 3, NO, 9) } },
	{ "same epoch: a step is more than none",
	  { SET("a", 50, 4, NO, 1), SET("b", 40, 4, NO, 2), SET("c", NO, 4, NO, 9) } },
	{ "steps and epochs apart: the newest group first",
	  { SET("a", NO, 2, NO, 9), SET("b", NO, 1, NO, 1), SET("c", 700, NO, NO, 8),
	    SET("d", 600, NO, NO, 2) } },
	{ "stronger evidence",
	  { SET("a", 5, NO, NO, 1, .role = BEST, .evidence = CHECKSUM),
	    SET("b", 5, NO, NO, 9, .role = LAST, .evidence = STRUCTURE) } },
	{ "roles, then age, then name",
	  { SET("z", 5, NO, NO, 1, .role = LAST), SET("d", 5, NO, NO, 1, .role = NUMBERED),
	    SET("a", 5, NO, NO, 2, .role = BEST), SET("b", 5, NO, NO, 1, .role = BEST),
	    SET("c", 5, NO, NO, 1, .role = BEST) } },
	{ "weights only after full ones",
	  { SET("a", 5, NO, NO, 1), SET("b", NO, NO, NO, 1),
	    SET("c", 900, NO, NO, 9, .role = LAST, .evidence = CHECKSUM, .contents = WEIGHTS) } },
	{ "pretrained last",
	  { SET("c", 1, NO, NO, 1, .role = LAST, .evidence = STRUCTURE, .contents = WEIGHTS),
	    SET("a", 99, NO, NO, 9, .role = CKPT_ROLE_PRETRAINED) } },
	{ "a number of unknown meaning orders its series alone",
	  { SET("a", NO, NO, 1, 50, .role = NUMBERED, .series = "x#"),
	    SET("b", NO, NO, 0, 99, .role = NUMBERED, .series = "x#"),
	    SET("c", NO, NO, 90, 60, .role = NUMBERED, .series = "y#") } },
	{ "without numbers: superseded after the others, then age",
	  { SET("a", NO, NO, NO, 5, .role = LAST), SET("b", NO, NO, NO, 4, .role = BEST),
	    SET("c", NO, NO, NO, 9, .role = SUPERSEDED) } },
	{ "superseded with more progress is more progress",
	  { SET("a", 9, NO, NO, 5, .role = SUPERSEDED), SET("b", 8, NO, NO, 6, .role = LAST) } },
};

static void check(const struct expectation *e)
{
	struct ckpt_set set[6];
	struct ckpt_report report[6];
	struct ckpt_set *list[6];
	size_t n = 0;

	while (n < 6 && e->sets[n].name) {
		fill(&set[n], &report[n], &e->sets[n]);
		n++;
	}
	/* from every rotation of the expected order, and from its reverse */
	for (size_t turn = 0; turn <= n; turn++) {
		for (size_t i = 0; i < n; i++)
			list[i] = &set[turn == n ? n - 1 - i : (i + turn) % n];
		assert_int_equal(ckpt_order_sort(list, n), 0);
		print_message("%s:", e->what);
		for (size_t i = 0; i < n; i++)
			print_message(" %s", list[i]->name);
		print_message("\n");
		for (size_t i = 0; i < n; i++)
			assert_ptr_equal(list[i], &set[i]);
	}
}

static void test_order__rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++)
		check(&expectations[i]);
}

static void test_order__progress(void **state)
{
	const struct ckpt_position step999 = { .has_step = true, .step = 999 };
	const struct ckpt_position step1000 = { .has_step = true, .step = 1000, .has_epoch = true };
	const struct ckpt_position epoch2 = { .has_epoch = true, .epoch = 2 };
	const struct ckpt_position epoch2_5 = { .has_epoch = true, .epoch = 2.5 };
	const struct ckpt_position nan_epoch = { .has_epoch = true, .epoch = NAN };
	const struct ckpt_position none = { 0 };
	struct ckpt_position late = { .has_step = true, .step = 12, .has_epoch = true, .epoch = 3 };
	struct ckpt_position early = {
		.has_step = true, .step = 480, .has_epoch = true, .epoch = 2
	};
	int c = 7;

	(void)state;
	assert_int_equal(ckpt_order_progress(&step1000, &step999, &c), 0);
	assert_true(c > 0);
	assert_int_equal(ckpt_order_progress(&step999, &step1000, &c), 0);
	assert_true(c < 0);
	assert_int_equal(ckpt_order_progress(&epoch2, &epoch2_5, &c), 0);
	assert_true(c < 0);
	assert_int_equal(ckpt_order_progress(&epoch2, &epoch2, &c), 0);
	assert_int_equal(c, 0);
	assert_int_equal(ckpt_order_progress(&step1000, &epoch2, &c), 0); /* both have an epoch */
	assert_true(c < 0);
	assert_int_equal(ckpt_order_progress(&late, &early, &c), 0);
	assert_true(c < 0);
	late.step_vague = true;
	assert_int_equal(ckpt_order_progress(&late, &early, &c), 0);
	assert_true(c < 0);
	early.step_vague = true;
	assert_int_equal(ckpt_order_progress(&late, &early, &c), 0);
	assert_true(c > 0);
	early.epoch = late.epoch;
	assert_int_equal(ckpt_order_progress(&late, &early, &c), 0);
	assert_true(c < 0);
	c = 7;
	assert_int_equal(ckpt_order_progress(&step999, &epoch2, &c), CKPT_ORDER_INCOMPARABLE);
	assert_int_equal(ckpt_order_progress(&nan_epoch, &epoch2, &c), CKPT_ORDER_INCOMPARABLE);
	assert_int_equal(ckpt_order_progress(&none, &none, &c), CKPT_ORDER_INCOMPARABLE);
	assert_int_equal(c, 7);
}

static void test_order__position_inside_before_name(void **state)
{
	struct ckpt_report report = { .position = { .has_epoch = true,
						    .epoch = 4,
						    .meaning = CKPT_EPOCH_COMPLETED,
						    .epoch_source = CKPT_FROM_CONTENT } };
	struct ckpt_set set = { .named = { .has_step = true,
					   .step = 700,
					   .step_source = CKPT_FROM_NAME,
					   .has_epoch = true,
					   .epoch = 5,
					   .epoch_source = CKPT_FROM_NAME } };
	struct ckpt_position p = ckpt_order_position(&set);

	(void)state;
	assert_true(p.epoch == 5 && p.step == 700);
	set.report = &report;
	p = ckpt_order_position(&set);
	assert_true(p.has_step && p.step == 700 && p.step_source == CKPT_FROM_NAME);
	assert_true(p.epoch == 4 && p.epoch_source == CKPT_FROM_CONTENT);
	assert_int_equal(p.meaning, CKPT_EPOCH_COMPLETED);
	report.position.has_step = true;
	report.position.step = 650;
	assert_int_equal(ckpt_order_position(&set).step, 650);
}

/* A file called by its step alone tells that the step does not begin again. */
static void test_order__position_is_as_vague_as_all_that_tells(void **state)
{
	struct ckpt_report report = { .position = { .has_step = true, .step_vague = true } };
	struct ckpt_set set = { .report = &report };

	(void)state;
	assert_true(ckpt_order_position(&set).step_vague);
	set.named.has_step = true;
	assert_false(ckpt_order_position(&set).step_vague);
	set.named.has_epoch = true;
	assert_true(ckpt_order_position(&set).step_vague);
	set.named.step_vague = true;
	report.position.step_vague = false;
	assert_false(ckpt_order_position(&set).step_vague);
	set.report = NULL;
	assert_true(ckpt_order_position(&set).step_vague);
}

/* Deterministic, so that a failure can be repeated. */
static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

#define N 24

static const char *const names[N] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
				      "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x" };

static void random_set(struct ckpt_set *set, struct ckpt_report *report, int i, uint32_t *seed)
{
	static const char *const series[] = { "x#", "y#" };
	struct brief b = {
		.name = names[i],
		.step = random_next(seed) % 2 ? NO : random_next(seed) % 4,
		.epoch = random_next(seed) % 2 ? NO : random_next(seed) % 4,
		.number = random_next(seed) % 2 ? NO : random_next(seed) % 4,
		.mtime = random_next(seed) % 5,
		.vague = random_next(seed) % 4 != 0,
		.role = random_next(seed) % 6,
		.evidence = random_next(seed) % 3,
		.contents = random_next(seed) % 3,
		.series = series[random_next(seed) % 2],
	};

	fill(set, report, &b);
	if (random_next(seed) % 8 == 0)
		report->position.epoch = NAN;
	if (random_next(seed) % 4 == 0) {
		set->named = report->position;
		set->report = NULL;
	}
}

static void shuffle(struct ckpt_set **list, size_t n, uint32_t *seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t k = random_next(seed) % i;
		struct ckpt_set *t = list[i - 1];

		list[i - 1] = list[k];
		list[k] = t;
	}
}

/* A total order gives the same list from every shuffle; one that is not does not for long. */
static void test_order__total(void **state)
{
	struct ckpt_report report[N];
	struct ckpt_set set[N], *first[N], *list[N];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t n = 2 + random_next(&seed) % (N - 1);

		for (size_t i = 0; i < n; i++) {
			random_set(&set[i], &report[i], (int)i, &seed);
			first[i] = list[i] = &set[i];
		}
		assert_int_equal(ckpt_order_sort(first, n), 0);
		for (int again = 0; again < 4; again++) {
			shuffle(list, n, &seed);
			assert_int_equal(ckpt_order_sort(list, n), 0);
			assert_memory_equal(list, first, n * sizeof(list[0]));
		}
	}
}

/* Neighbours in a sorted list whose steps (or epochs) alone decide are never the wrong way round.
 */
static void test_order__never_behind(void **state)
{
	struct ckpt_report report[N];
	struct ckpt_set set[N], *list[N];
	uint32_t seed = 99;

	(void)state;
	for (int round = 0; round < 500; round++) {
		bool steps = round % 2;

		for (int i = 0; i < N; i++) {
			random_set(&set[i], &report[i], i, &seed);
			set[i].role = NUMBERED;
			set[i].report = &report[i];
			report[i].contents = CKPT_CONTENTS_FULL;
			report[i].position = (struct ckpt_position) {
				.has_step = steps,
				.has_epoch = !steps || random_next(&seed) % 2,
				.step = random_next(&seed) % 50,
				.epoch = random_next(&seed) % 50,
			};
			list[i] = &set[i];
		}
		assert_int_equal(ckpt_order_sort(list, N), 0);
		for (int i = 1; i < N; i++) {
			int c;

			assert_int_equal(ckpt_order_progress(&list[i - 1]->report->position,
							     &list[i]->report->position, &c),
					 0);
			assert_true(c >= 0);
		}
	}
}

static int sign(int c)
{
	return (c > 0) - (c < 0);
}

static void test_order__catalog_is_total(void **state)
{
	static const char *const series[] = { "a#", "b#" };
	struct ckpt_set set[N];
	uint32_t seed = 7;

	(void)state;
	for (int i = 0; i < N; i++) {
		uint32_t kind = random_next(&seed) % 4;

		set[i] = (struct ckpt_set) {
			.run = (int)(random_next(&seed) % 2),
			.dir = "/run",
			.series = series[random_next(&seed) % 2],
			.name = names[i],
			.named = { .has_step = kind == 3,
				   .step = random_next(&seed) % 3,
				   .has_epoch = kind >= 2,
				   .epoch = random_next(&seed) % 3 },
			.has_number = kind == 1,
			.number = random_next(&seed) % 3,
		};
	}
	for (int i = 0; i < N * N * N; i++) {
		const struct ckpt_set *a = &set[i % N], *b = &set[i / N % N], *c = &set[i / N / N];

		assert_int_equal(sign(ckpt_order_catalog(a, b)), -sign(ckpt_order_catalog(b, a)));
		assert_true((ckpt_order_catalog(a, b) == 0) == (a == b));
		if (ckpt_order_catalog(a, b) <= 0 && ckpt_order_catalog(b, c) <= 0)
			assert_true(ckpt_order_catalog(a, c) <= 0);
	}
}

#define MANY 3000

/* One of a mixture in which each rule decides somewhere; equal strings at two addresses. */
static struct ckpt_set any_set(uint32_t *seed, const char *name)
{
	static const char dirs[3][8] = { "/run", "/run", "/other" };
	static const char series[3][4] = { "a#", "b#", "a#" };
	static const double epochs[] = { -1.5, -0.0, 0.0, 2, 1e300, NAN };
	uint32_t kind = random_next(seed) % 4;

	return (struct ckpt_set) {
		.run = (int)(random_next(seed) % 3) - 1,
		.dir = dirs[random_next(seed) % 3],
		.series = series[random_next(seed) % 3],
		.name = name,
		.kind = random_next(seed) % 2 ? CKPT_KIND_FILE : CKPT_KIND_DIRECTORY,
		.named = { .has_step = kind == 3,
			   .step = (int64_t)(random_next(seed) % 700) * 1000003 - 300000000,
			   .has_epoch = kind >= 2,
			   .epoch = epochs[random_next(seed) % 6] },
		.has_number = kind >= 1,
		.number = (int64_t)(random_next(seed) % 5) - 2,
	};
}

static void test_order__sets_as_qsort(void **state)
{
	static struct ckpt_set sets[MANY], expected[MANY];
	static char own[MANY / 2][16];
	uint32_t seed = 11;

	(void)state;
	for (int n = 1; n <= MANY; n = n * 3 + 1) {
		for (int i = 0; i < n; i++) {
			snprintf(own[i / 2], sizeof(own[0]), "n%u",
				 random_next(&seed) % 1000000 + 1);
			sets[i] = any_set(&seed, own[i / 2]);
			sets[i].trail = (size_t)i; /* tells one from the other */
		}
		memcpy(expected, sets, sizeof(sets));
		qsort(expected, (size_t)n, sizeof(*sets), ckpt_order_catalog);
		ckpt_order_sets(sets, (size_t)n);
		for (int i = 0; i < n; i++)
			assert_int_equal(ckpt_order_catalog(&sets[i], &expected[i]), 0);
		for (int i = 0; i < n; i++) { /* none lost, none twice */
			size_t was = sets[i].trail;

			assert_true(was < (size_t)n);
			assert_true(expected[was].members == NULL);
			expected[was].members = (const char **)own;
		}
	}
}

static void test_order__sets_of_two_series(void **state)
{
	struct ckpt_set sets[300];

	(void)state;
	for (int i = 0; i < 300; i++)
		sets[i] = (struct ckpt_set) { .dir = "/run",
					      .series = i % 2 ? "a#" : "b#",
					      .name = "x",
					      .has_number = true,
					      .number = i * 7 % 300 };
	ckpt_order_sets(sets, 300);
	for (int i = 0; i < 300; i++)
		assert_int_equal(sets[i].series[0], i < 150 ? 'a' : 'b');
	for (int i = 1; i < 300; i++)
		assert_true(i == 150 || sets[i].number < sets[i - 1].number);
}

static void test_order__ranks_as_numbers(void **state)
{
	static const int64_t steps[] = { INT64_MAX, 256, 255, 1, 0, -1, -256, INT64_MIN };
	static const double epochs[] = {
		INFINITY, 1e300, 2, 1.5, 5e-324, 0, -5e-324, -2, -INFINITY
	};
	struct ckpt_set a = { .named.has_step = true }, b = a, c = { .named.has_epoch = true },
			d = c;

	(void)state;
	for (size_t i = 1; i < sizeof(steps) / sizeof(*steps); i++) {
		a.named.step = steps[i - 1];
		b.named.step = steps[i];
		assert_true(ckpt_order_rank(&a) < ckpt_order_rank(&b));
	}
	for (size_t i = 1; i < sizeof(epochs) / sizeof(*epochs); i++) {
		c.named.epoch = epochs[i - 1];
		d.named.epoch = epochs[i];
		assert_true(ckpt_order_rank(&c) < ckpt_order_rank(&d));
	}
	c.named.epoch = 0.0;
	d.named.epoch = -0.0;
	assert_true(ckpt_order_rank(&c) == ckpt_order_rank(&d));
}

/* Names that hold both: the epoch, then the step in it. */
static void test_order__ranks_of_both(void **state)
{
	static const struct {
		double epoch;
		int64_t step;
	} rows[] = {
		{ 16777215, INT64_MAX }, { 16777215, 0 },	 { 3, 12 },  { 3, 0 },
		{ 2, INT64_MAX },	 { 2, (1LL << 40) - 2 }, { 2, 480 }, { 0, 500 },
	};
	struct ckpt_set a = { .named = {
				      .has_step = true, .has_epoch = true, .step_vague = true } };
	struct ckpt_set b = a;

	(void)state;
	for (size_t i = 1; i < sizeof(rows) / sizeof(*rows); i++) {
		a.named.epoch = rows[i - 1].epoch;
		a.named.step = rows[i - 1].step;
		b.named.epoch = rows[i].epoch;
		b.named.step = rows[i].step;
		assert_true(ckpt_order_rank(&a) < ckpt_order_rank(&b));
	}
	a.named.epoch = 1e300;
	b.named.epoch = 16777215;
	a.named.step = b.named.step = INT64_MAX;
	assert_true(ckpt_order_rank(&a) == ckpt_order_rank(&b));
}

static void test_order__nothing_to_sort(void **state)
{
	struct ckpt_set set = { .name = "a" }, *list[1] = { &set };

	(void)state;
	assert_int_equal(ckpt_order_sort(NULL, 0), 0);
	assert_int_equal(ckpt_order_sort(list, 1), 0);
	assert_ptr_equal(list[0], &set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order__rules),
		cmocka_unit_test(test_order__progress),
		cmocka_unit_test(test_order__position_inside_before_name),
		cmocka_unit_test(test_order__position_is_as_vague_as_all_that_tells),
		cmocka_unit_test(test_order__total),
		cmocka_unit_test(test_order__never_behind),
		cmocka_unit_test(test_order__catalog_is_total),
		cmocka_unit_test(test_order__sets_as_qsort),
		cmocka_unit_test(test_order__sets_of_two_series),
		cmocka_unit_test(test_order__ranks_as_numbers),
		cmocka_unit_test(test_order__ranks_of_both),
		cmocka_unit_test(test_order__nothing_to_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
