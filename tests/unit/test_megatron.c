/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Megatron's iterations, legacy and distributed, with files that PyTorch wrote: whole, damaged,
 * unfinished, mixed; and the digests of integrity.json.
 */
#include "core/format/train/megatron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define SCRIPT "make_megatron.py"
#define RANK(r, file) "mp_rank_0" #r "/" file
#define RANKS(t, p, file) "mp_rank_0" #t "_00" #p "/" file
#define MODEL "model_optim_rng.pt"
#define OPTIM "distrib_optim.pt"
#define APART_MODEL "model_rng.pt"
#define APART_OPTIM "optim.pt"

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	real_dirs_judge(bench, name, "megatron", ret);
}

static void test_megatron__whole(void **state)
{
	static const struct {
		const char *name;
		int64_t step;
		enum ckpt_contents contents;
	} rows[] = {
		{ "iter_0000100", 100, CKPT_CONTENTS_FULL },
		{ "iter_0000200", 200, CKPT_CONTENTS_FULL },
		{ "iter_0000210", 210, CKPT_CONTENTS_FULL },
		{ "iter_0000220", 220, CKPT_CONTENTS_FULL },
		{ "iter_0000230", 230, CKPT_CONTENTS_WEIGHTS },
		{ "iter_0000250", 250, CKPT_CONTENTS_FULL },
		{ "iter_0000300", 300, CKPT_CONTENTS_UNKNOWN },
		{ "iter_0000400", 400, CKPT_CONTENTS_UNKNOWN },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.contents, rows[i].contents);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, rows[i].step);
	}
}

static void damage_all(const char *name, const struct real_dirs_damage *rows, size_t n)
{
	_cleanup_bench_ struct bench bench;

	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < n; i++)
		real_dirs_damage(&bench, name, "megatron", &rows[i]);
}

static void test_megatron__legacy_damage(void **state)
{
	static const struct real_dirs_damage one[] = {
		{ RANK(0, MODEL), REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ RANK(1, MODEL), REAL_DIRS_CUT, 900, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ RANK(1, MODEL), REAL_DIRS_FLIP, 3000, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ RANK(0, MODEL), REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
	};
	static const struct real_dirs_damage both[] = {
		{ RANKS(1, 1, MODEL), REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ RANKS(0, 1, OPTIM), REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ RANKS(1, 0, OPTIM), REAL_DIRS_CUT, 5, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ RANKS(1, 0, OPTIM), REAL_DIRS_FLIP, 1200, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	};

	static const struct real_dirs_damage apart[] = {
		{ RANK(1, APART_MODEL), REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ RANK(0, APART_MODEL), REAL_DIRS_CUT, 900, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ RANKS(1, 0, APART_OPTIM), REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ RANKS(0, 1, APART_OPTIM), REAL_DIRS_FLIP, 900, CKPT_CORRUPT,
		  CKPT_PROBLEM_CHECKSUM },
	};

	(void)state;
	damage_all("iter_0000210", apart, sizeof(apart) / sizeof(apart[0]));
	damage_all("iter_0000100", one, sizeof(one) / sizeof(one[0]));
	damage_all("iter_0000200", both, sizeof(both) / sizeof(both[0]));
}

/* The folder of a rank is gone as a whole: the arguments say how many there were. */
static void test_megatron__legacy_rank_missing(void **state)
{
	static const struct {
		const char *name, *folder;
	} rows[] = {
		{ "iter_0000100", "mp_rank_01" },	  { "iter_0000200", "mp_rank_00_001" },
		{ "iter_0000200", "mp_rank_01_001" },	  { "iter_0000210", "mp_rank_01" },
		{ "iter_0000210", "mp_rank_00_001" },	  { "iter_0000220", "mp_rank_00_001" },
		{ "iter_0000220", "mp_rank_00_001_001" }, { "iter_0000230", "mp_rank_01" },
		{ "iter_0000250", "mp_rank_00_001" },	  { "iter_0000250", "mp_rank_01_002" },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char path[64];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rows[i].name, rows[i].folder);
		assert_int_equal(renameat(bench.fd, path, bench.fd, "kept"), 0);
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
		assert_string_equal(report.verdict.problem.file, rows[i].folder);
		assert_int_equal(renameat(bench.fd, "kept", bench.fd, path), 0);
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

static void test_megatron__mixed_saves(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	assert_true(bench_copy(&bench, "iter_0000200/" RANKS(0, 0, MODEL),
			       "iter_0000100/" RANK(1, MODEL)));
	judge(&bench, "iter_0000100", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES);
	assert_string_equal(report.verdict.problem.file, "mp_rank_01");
	assert_int_equal(renameat(bench.fd, "iter_0000300", bench.fd, "iter_0000301"), 0);
	judge(&bench, "iter_0000301", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_MIXED_SAVES); /* renamed: a remark */
}

static void test_megatron__distributed_damage(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ "metadata.json", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "metadata.json", REAL_DIRS_CUT, 5, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "metadata.json", REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ ".metadata", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ "__1_0.distcp", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "__0_0.distcp", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "__0_0.distcp", REAL_DIRS_FLIP, 20000, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ "common.pt", REAL_DIRS_CUT, 7, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};

	(void)state;
	damage_all("iter_0000300", rows, sizeof(rows) / sizeof(rows[0]));
}

/* With digests every byte counts, also those that no CRC covers. */
static void test_megatron__integrity(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ "__0_0.distcp", REAL_DIRS_FLIP, 12715, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST },
		{ "__0_3.distcp", REAL_DIRS_FLIP, 1, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST },
		{ "__0_2.distcp", REAL_DIRS_FLIP, 6000, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST },
		{ "integrity.json", REAL_DIRS_CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "common.pt", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
	};

	(void)state;
	damage_all("iter_0000400", rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_megatron__integrity_lists(void **state)
{
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	static const struct {
		const char *text;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "{\"algorithm\": \"sha256\", \"files\": {}}", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "{\"algorithm\": \"crc32c\", \"files\": {\"a\": \"12\"}}", CKPT_VALID,
		  CKPT_PROBLEM_NONE },
		{ "{\"algorithm\": \"sha256\"}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "[]", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"algorithm\": \"sha256\", \"files\": {\"common.pt\": \"%s0\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"algorithm\": \"sha256\", \"files\": {\"common.pt\": \"g%.63s\"}}",
		  CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"algorithm\": \"sha256\", \"files\": {\"../x\": \"%s\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"algorithm\": \"sha256\", \"files\": {\"/etc/passwd\": \"%s\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"algorithm\": \"sha256\", \"files\": {\"common.pt\": \"%s\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_DIGEST },
		{ "{\"algorithm\": \"sha256\", \"files\": {\".\": \"%s\"}}", CKPT_UNREADABLE,
		  CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char text[512];

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strchr(rows[i].text, '%');
		int cut = at ? (int)(at - rows[i].text) : (int)strlen(rows[i].text);
		bool some = at && at[1] == '.';

		snprintf(text, sizeof(text), "%.*s%.*s%s", cut, rows[i].text,
			 at ? some ? 63 : 64 : 0, zeros, at ? strchr(at, 's') + 1 : "");
		bench_text(&bench, "iter_0000300/integrity.json", text);
		judge(&bench, "iter_0000300", &report);
		if (report.verdict.status != rows[i].status)
			print_error("%s\n", text);
		bench_expect(&report, rows[i].status, rows[i].code);
	}
}

/* A list that leaves data files out does not stand for them. */
static void test_megatron__integrity_partial(void **state)
{
	static const char script[] = "import json\n"
				     "p = 'iter_0000400/integrity.json'\n"
				     "d = json.load(open(p))\n"
				     "del d['files']['__0_0.distcp']\n"
				     "json.dump(d, open(p, 'w'))\n";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!real_dirs_put(&bench, SCRIPT) || !bench_python(&bench, script))
		skip();
	judge(&bench, "iter_0000400", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_flip(&bench, "iter_0000400/__0_0.distcp", 6000);
	judge(&bench, "iter_0000400", &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
}

static void test_megatron__empty_directory(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	assert_int_equal(mkdirat(bench.fd, "iter_0000500", 0755), 0);
	judge(&bench, "iter_0000500", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
}

/* Another backend is a checkpoint still, but not one that is looked into. */
static void test_megatron__other_backend(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "iter_0000500/metadata.json", "{\"sharded_backend\": \"zarr\"}");
	judge(&bench, "iter_0000500", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	/* digests are compared whatever the backend: a flipped bit may have made it another one */
	bench_text(&bench, "iter_0000500/integrity.json",
		   "{\"algorithm\": \"sha256\", \"files\": {\"metadata.json\": \"ca978112ca1bbdca"
		   "fac231b39a23dc4da786eff8147c4e72b9807785afee48bb\"}}");
	judge(&bench, "iter_0000500", &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_megatron__whole),
		cmocka_unit_test(test_megatron__legacy_damage),
		cmocka_unit_test(test_megatron__legacy_rank_missing),
		cmocka_unit_test(test_megatron__mixed_saves),
		cmocka_unit_test(test_megatron__distributed_damage),
		cmocka_unit_test(test_megatron__integrity),
		cmocka_unit_test(test_megatron__integrity_lists),
		cmocka_unit_test(test_megatron__integrity_partial),
		cmocka_unit_test(test_megatron__empty_directory),
		cmocka_unit_test(test_megatron__other_backend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
