/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DeepSpeed's tag directories with files that PyTorch wrote: whole, with shards missing, damaged or
 * of another save.
 */
#include "core/format/train/deepspeed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define SCRIPT "make_deepspeed.py"
#define MODEL(m) "mp_rank_0" #m "_model_states.pt"
#define OPTIM(d, m) "bf16_zero_pp_rank_" #d "_mp_rank_0" #m "_optim_states.pt"
#define ZERO3(d, what) "zero_pp_rank_" #d "_mp_rank_00_" what "_states.pt"

#define UNIVERSAL "global_step500_universal"
#define LAYER(l, m) "layer_0" #l "-model_0" #m "-model_states.pt"
#define EXPERT(l, e, m) "layer_" #l "_expert_" #e "_mp_rank_0" #m "_model_states.pt"

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	real_dirs_judge(bench, name, "deepspeed", ret);
}

static void test_deepspeed__whole(void **state)
{
	static const struct {
		const char *name;
		int64_t step;
		enum ckpt_evidence evidence;
	} rows[] = {
		{ "global_step500", 500, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step600", 600, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step700", 700, CKPT_EVIDENCE_STRUCTURE }, /* legacy: no checksums */
		{ "global_step800", 800, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step810", 810, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step820", 820, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step830", 830, CKPT_EVIDENCE_CHECKSUM },
		{ "global_step840", 840, CKPT_EVIDENCE_CHECKSUM },
		{ "last.ckpt", 900, CKPT_EVIDENCE_CHECKSUM },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, rows[i].evidence);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, rows[i].step);
		assert_string_equal(report.framework, "DeepSpeed 0.14.4");
	}
}

/* Every shard, gone: named, though its file is not there to be read. */
static void test_deepspeed__missing(void **state)
{
	static const struct {
		const char *tag, *file, *named;
	} rows[] = {
		{ "global_step500", MODEL(0), "mp_rank_00_model_states.pt" },
		{ "global_step500", MODEL(1), "mp_rank_01_model_states.pt" },
		{ "global_step500", OPTIM(0, 0), "zero_pp_rank_0_mp_rank_00_optim_states.pt" },
		{ "global_step500", OPTIM(0, 1), "zero_pp_rank_0_mp_rank_01_optim_states.pt" },
		{ "global_step500", OPTIM(1, 1), "zero_pp_rank_1_mp_rank_01_optim_states.pt" },
		{ "global_step600", ZERO3(0, "model"), ZERO3(0, "model") },
		{ "global_step600", ZERO3(2, "model"), ZERO3(2, "model") },
		{ "global_step600", ZERO3(2, "optim"), ZERO3(2, "optim") },
		{ "global_step800", ZERO3(0, "optim"), ZERO3(0, "optim") },
		{ "global_step810", LAYER(0, 0), LAYER(0, 0) },
		{ "global_step810", LAYER(0, 1), LAYER(0, 1) },
		{ "global_step810", LAYER(2, 0), LAYER(2, 0) },
		{ "global_step810", LAYER(2, 1), LAYER(2, 1) },
		{ "global_step810", LAYER(3, 1), LAYER(3, 1) },
		{ "global_step820", EXPERT(0, 0, 0), EXPERT(0, 0, 0) },
		{ "global_step820", EXPERT(0, 2, 1), EXPERT(0, 2, 1) },
		{ "global_step820", EXPERT(0, 3, 1), EXPERT(0, 3, 1) },
		{ "global_step820", EXPERT(1, 0, 0), EXPERT(1, 0, 0) },
		{ "global_step820", EXPERT(1, 1, 1), EXPERT(1, 1, 1) },
		{ "global_step830", ZERO3(1, "optim"), ZERO3(1, "optim") },
		{ "global_step830", ZERO3(1, "model"), ZERO3(1, "model") },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[128];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rows[i].tag, rows[i].file);
		assert_true(bench_copy(&bench, path, "kept"));
		bench_remove(&bench, path);
		judge(&bench, rows[i].tag, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
		assert_string_equal(report.verdict.problem.file, rows[i].named);
		assert_true(bench_copy(&bench, "kept", path));
		judge(&bench, rows[i].tag, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

/* Lightning's: what its folder lacks is named with the folder, and so is its pointer. */
static void test_deepspeed__tagged(void **state)
{
	static const char folder[] = "last.ckpt/checkpoint/";
	static const char shard[] = "zero_pp_rank_1_mp_rank_00_optim_states.pt";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[128];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	snprintf(path, sizeof(path), "%sbf16_%s", folder, shard);
	assert_true(bench_copy(&bench, path, "kept"));
	bench_remove(&bench, path);
	judge(&bench, "last.ckpt", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	snprintf(path, sizeof(path), "checkpoint/%s", shard);
	assert_string_equal(report.verdict.problem.file, path);
	snprintf(path, sizeof(path), "%sbf16_%s", folder, shard);
	assert_true(bench_copy(&bench, "kept", path));
	bench_text(&bench, "last.ckpt/latest", "");
	judge(&bench, "last.ckpt", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_POINTER_STALE);
}

/* Converted for any number of ranks: all parameters' states, none of the ranks' own. */
static void test_deepspeed__universal(void **state)
{
	static const char *const needed[] = { "mp_rank_00_model_states.pt",
					      "zero/optimizer_state.pt",
					      "zero/wte.weight/fp32.pt" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[128];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	judge(&bench, UNIVERSAL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.position.step, 500);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		snprintf(path, sizeof(path), UNIVERSAL "/%s", needed[i]);
		assert_true(bench_copy(&bench, path, "kept"));
		bench_remove(&bench, path);
		judge(&bench, UNIVERSAL, &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		assert_string_equal(report.verdict.problem.file, needed[i]);
		assert_true(bench_copy(&bench, "kept", path));
	}
	bench_flip(&bench, UNIVERSAL "/zero/lm_head.weight/exp_avg_sq.pt", 700);
	judge(&bench, UNIVERSAL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	assert_string_equal(report.verdict.problem.file, "zero/lm_head.weight/exp_avg_sq.pt");
}

/* A layer's number that nobody has is one without parameters; an MoE layer is one that is lost. */
static void test_deepspeed__whole_layers(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[128];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	bench_remove(&bench, "global_step810/" LAYER(2, 0));
	bench_remove(&bench, "global_step810/" LAYER(2, 1));
	judge(&bench, "global_step810", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path),
			 "global_step820/layer_0_expert_%d_mp_rank_0%d_model_states.pt", i / 2,
			 i % 2);
		bench_remove(&bench, path);
	}
	judge(&bench, "global_step820", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, EXPERT(0, 0, 0));
}

static void test_deepspeed__damage(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ MODEL(1), REAL_DIRS_CUT, 2000, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ MODEL(0), REAL_DIRS_FLIP, 3000, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ OPTIM(1, 0), REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
		{ OPTIM(1, 1), REAL_DIRS_CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ OPTIM(0, 1), REAL_DIRS_FLIP, 1500, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		real_dirs_damage(&bench, "global_step500", "deepspeed", &rows[i]);
	bench_text(&bench, "global_step500/" OPTIM(0, 0), "no shard of any kind");
	judge(&bench, "global_step500", &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	assert_string_equal(report.verdict.problem.file, OPTIM(0, 0));
	/* another page of it in the place of the first */
	bench_text(&bench, "global_step500/" OPTIM(0, 0), "\x80\x02}q\x01\xff\xff no opcode");
	judge(&bench, "global_step500", &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
}

/* One rank's file is left over from an earlier save under the same tag. */
static void test_deepspeed__mixed_saves(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	assert_true(bench_copy(&bench, "global_step800/" MODEL(0), "global_step500/" MODEL(1)));
	judge(&bench, "global_step500", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES);
	assert_string_equal(report.verdict.problem.file, MODEL(1));
}

/* A shard of a larger job, and a directory renamed by hand, are remarks. */
static void test_deepspeed__remarks(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	assert_true(bench_copy(&bench, "global_step500/" OPTIM(1, 1),
			       "global_step500/bf16_zero_pp_rank_5_mp_rank_00_optim_states.pt"));
	judge(&bench, "global_step500", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_MEMBER_EXTRA);
	assert_int_equal(renameat(bench.fd, "global_step700", bench.fd, "global_step701"), 0);
	judge(&bench, "global_step701", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_MIXED_SAVES);
	assert_int_equal(report.position.step, 700);
}

/* Killed before the first file: unfinished, not unknown. And a tag needs no number. */
static void test_deepspeed__names(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	assert_int_equal(mkdirat(bench.fd, "global_step900", 0755), 0);
	judge(&bench, "global_step900", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_int_equal(renameat(bench.fd, "global_step600", bench.fd, "best"), 0);
	judge(&bench, "best", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* Inside a Hugging Face Trainer's checkpoint the tag is judged with it. */
static void test_deepspeed__inside_hf_trainer(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	bench_text(&bench, "checkpoint-600/trainer_state.json",
		   "{\"global_step\": 600, \"epoch\": 1.5}");
	assert_int_equal(
		renameat(bench.fd, "global_step600", bench.fd, "checkpoint-600/global_step600"), 0);
	bench_text(&bench, "checkpoint-600/latest", "global_step600");
	real_dirs_judge(&bench, "checkpoint-600", "hf-trainer", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	bench_remove(&bench, "checkpoint-600/global_step600/" ZERO3(1, "optim"));
	real_dirs_judge(&bench, "checkpoint-600", "hf-trainer", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, "global_step600/" ZERO3(1, "optim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deepspeed__whole),
		cmocka_unit_test(test_deepspeed__missing),
		cmocka_unit_test(test_deepspeed__whole_layers),
		cmocka_unit_test(test_deepspeed__tagged),
		cmocka_unit_test(test_deepspeed__universal),
		cmocka_unit_test(test_deepspeed__damage),
		cmocka_unit_test(test_deepspeed__mixed_saves),
		cmocka_unit_test(test_deepspeed__remarks),
		cmocka_unit_test(test_deepspeed__names),
		cmocka_unit_test(test_deepspeed__inside_hf_trainer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
