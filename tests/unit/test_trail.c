/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a decision: fates, verdicts, positions, warnings, the line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/resolve/trail.h"
#include "tests/unit/support/attempt.h"

#define SETS 8

/* A resolution with sets that no file backs. */
struct fixture {
	struct ckpt_resolution res;
	struct ckpt_set sets[SETS];
	struct ckpt_report reports[SETS];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	for (int i = 0; i < SETS; i++) {
		f->sets[i].name = "ckpt-7.pt";
		f->sets[i].dir = "/run";
		f->sets[i].report = &f->reports[i];
	}
	ATTEMPT_SET(f->res.decision.mode, "resume");
	ATTEMPT_SET(f->res.decision.reason, "preempted");
	ATTEMPT_SET(f->res.decision.evidence, "checksum");
	ATTEMPT_SET(f->res.decision.path, "/run/ckpt-7.pt");
	f->res.decision.attempt = 2;
	f->res.catalog.n_sets = 1;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->res.trail);
	free(f);
	return 0;
}

static void reject(struct fixture *f, int i, const char *name, bool newer)
{
	f->sets[i].name = name;
	f->reports[i].verdict.status = CKPT_INCOMPLETE;
	f->reports[i].verdict.problem.code = CKPT_PROBLEM_TRUNCATED;
	assert_int_equal(ckpt_trail_add(&f->res, &f->sets[i], CKPT_FATE_REJECTED, "cut"), 0);
	f->res.trail[f->res.n_trail - 1].newer = newer;
}

static void expect_line(struct fixture *f, bool chosen, const char *line)
{
	ckpt_resolution_line(&f->res, chosen ? &f->sets[0] : NULL);
	assert_string_equal(f->res.decision.line, line);
}

static void test_trail__fates(void **state)
{
	(void)state;
	assert_string_equal(ckpt_fate_name(CKPT_FATE_CHOSEN), "chosen");
	assert_string_equal(ckpt_fate_name(CKPT_FATE_REJECTED), "rejected");
	assert_string_equal(ckpt_fate_name(CKPT_FATE_PASSED_OVER), "passed-over");
	assert_string_equal(ckpt_fate_name(CKPT_FATE_NOT_LOOKED_AT), "not-looked-at");
	assert_string_equal(ckpt_fate_name(CKPT_FATE_BUDGET), "budget");
}

static void test_trail__grows_and_finds_the_last(void **state)
{
	struct fixture *f = *state;

	assert_null(ckpt_trail_of(&f->res, &f->sets[0]));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ckpt_trail_add(&f->res, &f->sets[i % 3], CKPT_FATE_PASSED_OVER,
						"entry %d", i),
				 0);
	assert_int_equal(f->res.n_trail, 1000);
	assert_string_equal(f->res.trail[0].why, "entry 0");
	assert_string_equal(f->res.trail[64].why, "entry 64");
	assert_string_equal(ckpt_trail_of(&f->res, &f->sets[0])->why, "entry 999");
	assert_string_equal(ckpt_trail_of(&f->res, &f->sets[1])->why, "entry 997");
	assert_null(ckpt_trail_of(&f->res, &f->sets[4]));
	assert_false(f->res.trail[999].newer);
}

static void test_trail__entries_are_cut_and_clean(void **state)
{
	struct fixture *f = *state;
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	text[3] = '\x1b';
	assert_int_equal(ckpt_trail_add(&f->res, NULL, CKPT_FATE_REJECTED, "%s", text), 0);
	assert_int_equal(strlen(f->res.trail[0].why), sizeof(f->res.trail[0].why) - 1);
	assert_false(ckpt_text_has_control(f->res.trail[0].why));
}

static void expect_words(const struct ckpt_report *report, const char *words)
{
	char buf[1024];

	assert_string_equal(ckpt_report_words(buf, sizeof(buf), report, "ckpt-7"), words);
}

static void test_trail__words_of_a_valid_one(void **state)
{
	struct ckpt_report report = { 0 };
	struct ckpt_verdict *v = &report.verdict;

	(void)state;
	v->evidence = CKPT_EVIDENCE_CHECKSUM;
	expect_words(&report, "valid by checksum");
	ATTEMPT_SET(v->note, "content not read: budget");
	expect_words(&report, "valid by checksum: content not read: budget");
	v->note[0] = '\0';
	v->problem = (struct ckpt_problem) { .code = CKPT_PROBLEM_TRAILING,
					     .offset = 4096,
					     .file = "ckpt-7",
					     .detail = "500 bytes follow the archive" };
	expect_words(&report, "valid by checksum; remark (trailing) at byte 4096: 500 bytes follow "
			      "the archive");
	ATTEMPT_SET(v->note, "only so far");
	ATTEMPT_SET(v->problem.file, "optimizer.pt");
	report.finite.files = report.finite.tensors = 1;
	expect_words(&report,
		     "valid by checksum: only so far; remark (trailing) in optimizer.pt at "
		     "byte 4096: 500 bytes follow the archive; no NaN, no Inf in 1 tensors");
}

/* Poison is told once, whatever else is remarked. */
static void test_trail__words_of_a_poisoned_one(void **state)
{
	struct ckpt_report report = { .finite = { .files = 1, .tensors = 2, .poisoned = 1 } };
	struct ckpt_problem *p = &report.verdict.problem;

	(void)state;
	report.verdict.evidence = CKPT_EVIDENCE_CHECKSUM;
	report.finite.nan = 1;
	*p = (struct ckpt_problem) { .code = CKPT_PROBLEM_NON_FINITE, .detail = "NaN" };
	expect_words(&report, "valid but poisoned: 1 NaN in 1 of 2 tensors");
	*p = (struct ckpt_problem) { .code = CKPT_PROBLEM_TRAILING, .detail = "more" };
	p->offset = CKPT_NO_OFFSET;
	expect_words(&report, "valid but poisoned: 1 NaN in 1 of 2 tensors; remark "
			      "(trailing): more");
}

/* File, member and offset where they are known, each once. */
static void test_trail__words_of_a_rejection(void **state)
{
	static const struct {
		enum ckpt_problem_code code;
		uint64_t offset;
		const char *file, *member, *detail, *words;
	} cases[] = {
		{ CKPT_PROBLEM_CHECKSUM, CKPT_NO_OFFSET, "", "", "", "corrupt (checksum)" },
		{ CKPT_PROBLEM_CHECKSUM, CKPT_NO_OFFSET, "ckpt-7", "", "", "corrupt (checksum)" },
		{ CKPT_PROBLEM_CHECKSUM, CKPT_NO_OFFSET, "", "data/3", "",
		  "corrupt (checksum) in data/3" },
		{ CKPT_PROBLEM_CHECKSUM, 1234, "ckpt-7", "data/3", "its CRC is wrong",
		  "corrupt (checksum) in data/3 at byte 1234: its CRC is wrong" },
		{ CKPT_PROBLEM_CHECKSUM, 1234, "opt.pt", "data/3", "its CRC is wrong",
		  "corrupt (checksum) in data/3 of opt.pt at byte 1234: its CRC is wrong" },
		{ CKPT_PROBLEM_DIGEST, CKPT_NO_OFFSET, "opt.pt", "", "its SHA-256 is another",
		  "corrupt (digest) in opt.pt: its SHA-256 is another" },
		{ CKPT_PROBLEM_DIGEST, 64, "opt.pt", "", "bytes 64 to 127 differ",
		  "corrupt (digest) in opt.pt: bytes 64 to 127 differ" },
		{ CKPT_PROBLEM_DIGEST, 64, "opt.pt", "", "it has 640 bytes, not 1640",
		  "corrupt (digest) in opt.pt at byte 64: it has 640 bytes, not 1640" },
		{ CKPT_PROBLEM_DIGEST, 64, "opt.pt", "", "bytes 640 to 64: no",
		  "corrupt (digest) in opt.pt: bytes 640 to 64: no" },
		{ CKPT_PROBLEM_HEADER, 0, "opt.pt", "", "'opt.pt' is text",
		  "corrupt (header) at byte 0: 'opt.pt' is text" },
		{ CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, "4", "", "it has 44 of 45 ranks",
		  "corrupt (header) in 4: it has 44 of 45 ranks" },
		{ CKPT_PROBLEM_EMPTY, 0, "opt.pt", "", "the file is empty",
		  "corrupt (empty) in opt.pt: the file is empty" },
		{ CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET, "op\nt.pt", "", "x",
		  "corrupt (header) in op?t.pt: x" },
	};
	struct ckpt_report report = { .verdict.status = CKPT_CORRUPT };
	struct ckpt_problem *p = &report.verdict.problem;
	char buf[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		*p = (struct ckpt_problem) { .code = cases[i].code, .offset = cases[i].offset };
		ATTEMPT_SET(p->file, cases[i].file);
		ATTEMPT_SET(p->member, cases[i].member);
		ATTEMPT_SET(p->detail, cases[i].detail);
		expect_words(&report, cases[i].words);
	}
	*p = (struct ckpt_problem) { .code = CKPT_PROBLEM_CHECKSUM, .offset = CKPT_NO_OFFSET };
	ATTEMPT_SET(p->file, "a.pt");
	assert_string_equal(ckpt_report_words(buf, sizeof(buf), &report, NULL),
			    "corrupt (checksum) in a.pt");
	assert_string_equal(ckpt_report_words(buf, 20, &report, NULL), "corrupt (checksum) ");
}

static void test_trail__position_words(void **state)
{
	struct ckpt_position p = { .epoch = 2.25, .step = 4500 };
	char buf[96];

	(void)state;
	assert_string_equal(ckpt_position_words(buf, sizeof(buf), &p), "position unknown");
	p.has_step = true;
	assert_string_equal(ckpt_position_words(buf, sizeof(buf), &p), "step 4500");
	p.has_epoch = true;
	assert_string_equal(ckpt_position_words(buf, sizeof(buf), &p), "epoch 2.25, step 4500");
	p.has_step = false;
	assert_string_equal(ckpt_position_words(buf, sizeof(buf), &p), "epoch 2.25");
	p.epoch = 3;
	assert_string_equal(ckpt_position_words(buf, sizeof(buf), &p), "epoch 3");
}

static void test_trail__warnings_add_up(void **state)
{
	struct fixture *f = *state;
	char *warning = f->res.decision.warning;

	ckpt_resolution_warn(&f->res, "first %d", 1);
	assert_string_equal(warning, "first 1");
	ckpt_resolution_warn(&f->res, "bell\a of %s", "esc\x1b[1m");
	assert_string_equal(warning, "first 1; bell? of esc?[1m");
}

static void test_trail__warnings_end_where_the_room_ends(void **state)
{
	struct fixture *f = *state;
	char *warning = f->res.decision.warning;
	const size_t room = sizeof(f->res.decision.warning);

	for (int i = 0; i < 500; i++)
		ckpt_resolution_warn(&f->res, "number %d", i);
	assert_int_equal(strlen(warning), room - 1);
	assert_int_equal(strncmp(warning, "number 0; number 1; ", 20), 0);
	/* nothing behind it was touched */
	assert_string_equal(f->res.decision.run, "");
	assert_int_equal(f->res.decision.refusal, 0);
	for (size_t at = room - 4; at < room; at++) { /* one byte after the other to the brim */
		memset(warning, 'w', at);
		warning[at] = '\0';
		ckpt_resolution_warn(&f->res, "more");
		assert_int_equal(strlen(warning), room - 1);
		assert_int_equal(f->res.decision.refusal, 0);
	}
}

static void test_trail__line_of_a_choice(void **state)
{
	struct fixture *f = *state;

	expect_line(f, true,
		    "attempt 2 (preempted): resuming from /run/ckpt-7.pt (position unknown, "
		    "checksum)");
	f->reports[0].position =
		(struct ckpt_position) { .has_epoch = true, .epoch = 3, .has_step = true };
	ATTEMPT_SET(f->res.decision.mode, "finetune");
	expect_line(f, true,
		    "attempt 2 (preempted): fine-tuning from /run/ckpt-7.pt (epoch 3, step 0, "
		    "checksum)");
}

static void test_trail__line_of_a_fresh_start(void **state)
{
	struct fixture *f = *state;

	expect_line(f, false, "attempt 2 (preempted): starting fresh");
	f->res.catalog.n_sets = 0;
	expect_line(f, false,
		    "attempt 2 (preempted): starting fresh: no checkpoint in the run directory");
	f->res.n_run_dirs = 1;
	snprintf(f->res.run_dirs[0], sizeof(f->res.run_dirs[0]), "/work/out");
	expect_line(f, false,
		    "attempt 2 (preempted): starting fresh: no checkpoint in /work/out "
		    "(--ckpt-dir=DIR, if your program saves elsewhere)");
	f->res.n_run_dirs = 3;
	f->res.decision.attempt = 0;
	expect_line(f, false,
		    "attempt 0 (preempted): starting fresh: no checkpoint in /work/out and 2 more");
}

static void test_trail__line_names_three_rejected(void **state)
{
	struct fixture *f = *state;
	const char *begin = "attempt 2 (preempted): starting fresh";
	char line[512];

	reject(f, 1, "a", true);
	snprintf(line, sizeof(line), "%s; 1 rejected: a truncated", begin);
	expect_line(f, false, line);
	reject(f, 2, "b", true);
	reject(f, 3, "c", false);
	snprintf(line, sizeof(line), "%s; 3 rejected: a truncated, b truncated, c truncated",
		 begin);
	expect_line(f, false, line);
	reject(f, 4, "d", true);
	reject(f, 5, "e", true);
	snprintf(line, sizeof(line),
		 "%s; 5 rejected: a truncated, b truncated, c truncated and 2 more", begin);
	expect_line(f, false, line);
}

/* Beside a choice only those count that would have come before it. */
static void test_trail__line_of_a_choice_names_newer_ones(void **state)
{
	struct fixture *f = *state;
	const char *begin = "attempt 2 (preempted): resuming from /run/ckpt-7.pt (position "
			    "unknown, checksum)";
	char line[512];

	reject(f, 1, "older", false);
	assert_int_equal(ckpt_trail_add(&f->res, &f->sets[2], CKPT_FATE_PASSED_OVER, "x"), 0);
	f->res.trail[1].newer = true;
	assert_int_equal(ckpt_trail_add(&f->res, NULL, CKPT_FATE_REJECTED, "a remark"), 0);
	f->res.trail[2].newer = true;
	expect_line(f, true, begin);
	reject(f, 3, "newer", true);
	snprintf(line, sizeof(line), "%s; 1 newer rejected: newer truncated", begin);
	expect_line(f, true, line);
}

static void test_trail__line_is_clean_and_cut(void **state)
{
	struct fixture *f = *state;
	char *long_name = malloc(4000);

	memset(long_name, 'n', 3999);
	long_name[3999] = '\0';
	reject(f, 1, "evil\n\x1b]0;title\a", true);
	ckpt_resolution_line(&f->res, NULL);
	assert_false(ckpt_text_has_control(f->res.decision.line));
	assert_non_null(strstr(f->res.decision.line, "evil??]0;title?"));
	reject(f, 2, long_name, true);
	ckpt_resolution_line(&f->res, NULL);
	assert_int_equal(strlen(f->res.decision.line), sizeof(f->res.decision.line) - 1);
	assert_string_equal(f->res.decision.warning, "");
	free(long_name);
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trail__fates),
		fixture_test(test_trail__grows_and_finds_the_last),
		fixture_test(test_trail__entries_are_cut_and_clean),
		cmocka_unit_test(test_trail__words_of_a_valid_one),
		cmocka_unit_test(test_trail__words_of_a_poisoned_one),
		cmocka_unit_test(test_trail__words_of_a_rejection),
		cmocka_unit_test(test_trail__position_words),
		fixture_test(test_trail__warnings_add_up),
		fixture_test(test_trail__warnings_end_where_the_room_ends),
		fixture_test(test_trail__line_of_a_choice),
		fixture_test(test_trail__line_of_a_fresh_start),
		fixture_test(test_trail__line_names_three_rejected),
		fixture_test(test_trail__line_of_a_choice_names_newer_ones),
		fixture_test(test_trail__line_is_clean_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
