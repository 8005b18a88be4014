/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories of a layout that no row knows, which their user calls checkpoints: files of PyTorch
 * and of NumPy as LitGPT, torchtune and Ray Train put them there.
 */
#include "core/format/train/folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "tests/unit/support/judge.h"

static const char script[] =
	"import torch, os, numpy\n"
	"for n in (8, 9, 10):\n"
	"    d = 'save_%d' % n\n"
	"    os.makedirs(d + '/recipe')\n"
	"    for i in (1, 2):\n"
	"        torch.save({'w': torch.ones(30, 30) * i}, '%s/model-%d-of-2.pt' % (d, i))\n"
	"    torch.save({'opt': torch.ones(9)}, d + '/recipe/state_%d.pt' % n)\n"
	"    numpy.save(d + '/history', numpy.ones(n))\n"
	"    open(d + '/config.yaml', 'w').write('a: 1\\n')\n"
	"    open(d + '/_SUCCESS', 'w')\n"
	"    open(d + '/.hidden', 'w')\n";

static void judge(struct bench *bench, const char *name, bool asked, enum ckpt_level level,
		  struct ckpt_report *ret)
{
	struct ckpt_target target = {
		.dirfd = bench->fd, .name = name, .kind = CKPT_KIND_DIRECTORY, .asked = asked
	};
	struct ckpt_ctx ctx = { .threads = 1 };

	ckpt_verify(&ctx, &target, level, ret);
}

/* The full verdict on "save_10", which its user asked for, and the file that it names. */
static void expect(struct bench *bench, enum ckpt_status status, enum ckpt_problem_code code,
		   const char *file)
{
	struct ckpt_report report;

	judge(bench, "save_10", true, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, status, code);
	if (file)
		assert_string_equal(report.verdict.problem.file, file);
	judge(bench, "save_10", true, CKPT_LEVEL_STRUCTURE, &report);
	if (code != CKPT_PROBLEM_CHECKSUM)
		bench_expect(&report, status, code);
}

static void expect_whole(struct bench *bench)
{
	expect(bench, CKPT_VALID, CKPT_PROBLEM_NONE, NULL);
}

static void test_folder__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	judge(&bench, "save_10", true, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_ptr_equal(report.format, &ckpt_format_folder);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	assert_string_equal(report.verdict.note,
			    "6 files, each by itself: all that there are in save_9");
	judge(&bench, "save_8", true, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_string_equal(report.verdict.note,
			    "6 files, each by itself: whether all are there, nothing tells");
	judge(&bench, "save_10", false, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER);
	assert_null(report.format);
}

/* What the elder has, whatever numbers are in the names. */
static void test_folder__elder(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_text(&bench, "save_8/more.yaml", "of the elder's elder\n");
	expect_whole(&bench);
	bench_remove(&bench, "save_10/model-2-of-2.pt");
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, "model-2-of-2.pt");
	assert_true(bench_copy(&bench, "save_9/model-2-of-2.pt", "save_10/model-2-of-2.pt"));
	bench_remove(&bench, "save_10/recipe/state_10.pt");
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, "recipe/state_9.pt");
	bench_remove(&bench, "save_9/recipe/state_9.pt");
	expect_whole(&bench);
	bench_remove(&bench, "save_10/_SUCCESS");
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, "_SUCCESS");
}

static void test_folder__damaged(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_flip(&bench, "save_10/model-1-of-2.pt", 1500);
	expect(&bench, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, "model-1-of-2.pt");
	bench_flip(&bench, "save_10/model-1-of-2.pt", 1500);
	bench_resize(&bench, "save_10/recipe/state_10.pt", 700);
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, "recipe/state_10.pt");
	assert_true(bench_copy(&bench, "save_9/recipe/state_9.pt", "save_10/recipe/state_10.pt"));
	bench_resize(&bench, "save_10/config.yaml", 0);
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY, "config.yaml");
	bench_resize(&bench, "save_9/config.yaml", 0); /* so it is meant */
	expect_whole(&bench);
}

/* What no row knows any more, and one that never was known. */
static void test_folder__head_lost(void **state)
{
	static const char bytes[4096] = { 0, 1, [4095] = 7 };
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_write(&bench, "save_10/model-1-of-2.pt", bytes + 1, 4095);
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, "model-1-of-2.pt");
	bench_write(&bench, "save_9/model-1-of-2.pt", bytes + 1, 4095); /* one's own */
	expect_whole(&bench);
	bench_write(&bench, "save_10/history.npy", bytes + 1, 4095);
	bench_write(&bench, "save_9/history.npy", bytes + 1, 4095); /* of NumPy alone */
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, "history.npy");
}

/* A part of a layout that has a row of its own, without what that row looks for; no checkpoint. */
static void test_folder__not_taken(void **state)
{
	static const char *const others[] = {
		"save_10/.metadata",
		"save_10/__0_0.distcp",
		"save_10/zero_pp_rank_1_mp_rank_00_optim_states.pt",
		"save_10/rng_state_3.pth",
		"save_10/latest",
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		bench_text(&bench, others[i], "1");
		judge(&bench, "save_10", true, CKPT_LEVEL_FULL, &report);
		assert_int_not_equal(report.verdict.status, CKPT_VALID);
		assert_ptr_not_equal(report.format, &ckpt_format_folder);
		bench_remove(&bench, others[i]);
	}
	expect_whole(&bench);
	bench_text(&bench, "logs_1/a.yaml", "a: 1\n");
	judge(&bench, "logs_1", true, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER);
	assert_int_equal(mkdirat(bench.fd, "logs_2", 0777), 0);
	judge(&bench, "logs_2", true, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY);
}

/* What a name says that there are of it, where no elder tells. */
static void test_folder__shards(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (int n = 8; n <= 10; n++) {
		char name[64];

		snprintf(name, sizeof(name), "save_%d/model-1-of-2.pt", n);
		bench_remove(&bench, name);
	}
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, "model-2-of-2.pt");
}

/* A file that its writer had not finished, be there whatever beside it. */
static void test_folder__unfinished(void **state)
{
	static const char *const names[] = { "save_10/more.pt.tmp", "save_10/recipe/x.bin.part",
					     "save_10/more.incomplete", "save_10/x.tmp123" };
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bench_text(&bench, names[i], "half");
		expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_UNFINISHED_NAME, names[i] + 8);
		bench_remove(&bench, names[i]);
	}
	expect_whole(&bench);
}

/* A part of a known layout below, without what tells which; beside one that is whole. */
static void test_folder__others_below(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_text(&bench, "save_10/model/__0_0.distcp", "1");
	judge(&bench, "save_10", true, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.status, CKPT_VALID);
	bench_remove(&bench, "save_10/model/__0_0.distcp");
	bench_text(&bench, "save_10/checkpoint/trainer_state.json", "{\"global_step\": 10}");
	judge(&bench, "save_10", true, CKPT_LEVEL_FULL, &report);
	assert_ptr_equal(report.format, &ckpt_format_folder); /* Ray Train around a Trainer's */
}

/* The elder's file cannot be looked into: nobody knows what it was. */
static void test_folder__elder_unreadable(void **state)
{
	static const char bytes[4096] = { 0, 1, [4095] = 7 };
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script) || geteuid() == 0)
		skip();
	bench_write(&bench, "save_10/model-1-of-2.pt", bytes + 1, 4095);
	assert_int_equal(fchmodat(bench.fd, "save_9/model-1-of-2.pt", 0, 0), 0);
	expect(&bench, CKPT_UNREADABLE, CKPT_PROBLEM_IO, NULL);
}

/* Pipes and sockets keep nobody waiting. */
static void test_folder__no_files(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	assert_int_equal(mkfifoat(bench.fd, "save_10/pipe", 0600), 0);
	expect(&bench, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, "pipe");
	bench_remove(&bench, "save_10/pipe");
	assert_int_equal(mkfifoat(bench.fd, "save_9/recipe/pipe", 0600), 0);
	bench_text(&bench, "save_10/recipe/pipe", "a: 1");
	expect_whole(&bench);
}

static void test_folder__bounds(void **state)
{
	_cleanup_bench_ struct bench bench;
	char name[64];

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	assert_int_equal(symlinkat("..", bench.fd, "save_10/up"), 0); /* not followed */
	assert_int_equal(symlinkat("nowhere", bench.fd, "save_10/gone.pt"), 0);
	expect(&bench, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, "gone.pt");
	bench_remove(&bench, "save_10/gone.pt");
	expect_whole(&bench);
	bench_text(&bench, "save_10/a/b/c", "as deep as one may be");
	bench_text(&bench, "save_9/a/b/c", "likewise");
	expect_whole(&bench);
	bench_remove(&bench, "save_10/a/b/c");
	bench_text(&bench, "save_10/a/b/c/d/e", "too deep");
	expect(&bench, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, NULL);
	bench_remove(&bench, "save_10/a/b/c/d/e");
	assert_int_equal(unlinkat(bench.fd, "save_10/a/b/c/d", AT_REMOVEDIR), 0);
	bench_remove(&bench, "save_9/a/b/c");
	expect_whole(&bench);
	for (int i = 0; i < 4096; i++) {
		snprintf(name, sizeof(name), "save_10/a/%d", i);
		bench_text(&bench, name, "x");
	}
	expect(&bench, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, NULL);
}

/* The catalog asks for what its user's pattern says, be the name a known one or not. */
static void test_folder__asked(void **state)
{
	static const struct {
		const char *glob, *name;
		bool asked;
	} rows[] = {
		{ "save_*", "save_3", true }, { "x:s?ve_3", "save_3", true },
		{ "x", "save_3", false },     { NULL, "save_3", false },
		{ "", "save_3", false },      { "*", "save_3", false }, /* names nothing */
		{ "*:?", "s", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(ckpt_catalog_globbed(rows[i].glob, rows[i].name), rows[i].asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folder__whole),
		cmocka_unit_test(test_folder__elder),
		cmocka_unit_test(test_folder__damaged),
		cmocka_unit_test(test_folder__head_lost),
		cmocka_unit_test(test_folder__not_taken),
		cmocka_unit_test(test_folder__bounds),
		cmocka_unit_test(test_folder__asked),
		cmocka_unit_test(test_folder__shards),
		cmocka_unit_test(test_folder__unfinished),
		cmocka_unit_test(test_folder__others_below),
		cmocka_unit_test(test_folder__elder_unreadable),
		cmocka_unit_test(test_folder__no_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
