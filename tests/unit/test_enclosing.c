/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NeMo 2 and OLMo-core: directories around a distributed checkpoint, with files that PyTorch wrote,
 * whole, damaged and unfinished.
 */
#include "core/format/train/enclosing.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define SCRIPT "make_enclosing.py"
#define NEMO "m--val_loss=2.10-step=199-last"
#define OLMO "step10"

static void test_enclosing__whole(void **state)
{
	static const struct {
		const char *name, *format;
		int64_t step;
		enum ckpt_contents contents;
	} rows[] = {
		{ "m--val_loss=2.50-step=99", "nemo", 100, CKPT_CONTENTS_UNKNOWN },
		{ NEMO, "nemo", 200, CKPT_CONTENTS_UNKNOWN },
		{ "step9", "olmo", 9, CKPT_CONTENTS_FULL },
		{ OLMO, "olmo", 10, CKPT_CONTENTS_FULL },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		real_dirs_judge(&bench, rows[i].name, rows[i].format, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, rows[i].step);
		assert_int_equal(report.contents, rows[i].contents);
	}
}

static void damage_all(const char *name, const char *format, const struct real_dirs_damage *rows,
		       size_t n)
{
	_cleanup_bench_ struct bench bench;

	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < n; i++)
		real_dirs_damage(&bench, name, format, &rows[i]);
}

static void test_enclosing__nemo_damage(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ "weights/metadata.json", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "weights/metadata.json", REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "weights/.metadata", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "weights/__1_0.distcp", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "weights/__0_0.distcp", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "weights/__0_0.distcp", REAL_DIRS_FLIP, 20000, CKPT_CORRUPT,
		  CKPT_PROBLEM_CHECKSUM },
		{ "weights/common.pt", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};

	(void)state;
	damage_all(NEMO, "nemo", rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_enclosing__olmo_damage(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ ".metadata.json", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ ".metadata.json", REAL_DIRS_CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "train/rank0.pt", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "train/rank1.pt", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "train/rank1.pt", REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
		{ "model_and_optim/.metadata", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "model_and_optim/__1_0.distcp", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "model_and_optim/__0_0.distcp", REAL_DIRS_FLIP, 20000, CKPT_CORRUPT,
		  CKPT_PROBLEM_CHECKSUM },
	};

	(void)state;
	damage_all(OLMO, "olmo", rows, sizeof(rows) / sizeof(rows[0]));
}

/* A rank without a file of its own takes the first one's. */
static void test_enclosing__olmo_fewer_ranks(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	bench_remove(&bench, OLMO "/train/rank1.pt");
	real_dirs_judge(&bench, OLMO, "olmo", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* Killed before the state was begun: a folder with nothing in it, or none. */
static void test_enclosing__nothing_inside(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "step5/train/rank0.pt", "x");
	bench_text(&bench, "step5/.metadata.json", "{}");
	assert_int_equal(mkdirat(bench.fd, "step5/model_and_optim", 0755), 0);
	real_dirs_judge(&bench, "step5", "olmo", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "model_and_optim");
	bench_text(&bench, "m-step=5/weights/common.pt", "x");
	real_dirs_judge(&bench, "m-step=5", "nemo", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "weights/metadata.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enclosing__whole),
		cmocka_unit_test(test_enclosing__nemo_damage),
		cmocka_unit_test(test_enclosing__olmo_damage),
		cmocka_unit_test(test_enclosing__olmo_fewer_ranks),
		cmocka_unit_test(test_enclosing__nothing_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
