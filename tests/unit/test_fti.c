/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FTI's level 4 as tests/data/make_fti.py leaves it: found with its books beside, with and without
 * heads, whole, lost, damaged, and between FTI's two renames.
 */
#include "core/format/hpc/fti.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "tests/unit/support/judge.h"

#define ID "2026-11-22_06-30-00"

static void make(struct bench *bench, const char *script)
{
	char text[2048];

	bench_init(bench);
	snprintf(text, sizeof(text),
		 "import sys\nsys.path.insert(0, '%s')\nsys.dont_write_bytecode = 1\n"
		 "import os, shutil\nfrom make_fti import *\n"
		 "G, M = 'Global/' + ID + '/l4/', 'Meta/' + ID + '/l4/'\n%s\n",
		 CKPT_TEST_DATA, script);
	assert_true(bench_python(bench, text));
}

/* The only candidate in the bench, checked at @level. */
static const struct ckpt_report *judge(struct bench *bench, struct ckpt_catalog *cat,
				       enum ckpt_level level)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	assert_int_equal(ckpt_catalog_scan(&ctx, cat, bench->path, 0, NULL, &err), 0);
	assert_int_equal(cat->n_sets, 1);
	assert_string_equal(cat->sets[0].name, "l4");
	assert_string_equal(cat->sets[0].layout, "fti");
	return ckpt_set_verify(&ctx, &cat->sets[0], level);
}

static void test_fti__whole(void **state)
{
	static const struct {
		const char *script;
		enum ckpt_evidence evidence;
		uint64_t ranks;
	} rows[] = {
		{ "save(7)", CKPT_EVIDENCE_CHECKSUM, 8 },
		{ "save(7, heads=1, per_node=4)", CKPT_EVIDENCE_CHECKSUM, 12 },
		{ "save(7, nodes=2, per_node=1)", CKPT_EVIDENCE_CHECKSUM, 2 },
		{ "save(7, meta='books')", CKPT_EVIDENCE_CHECKSUM, 8 },
		{ "save(7, meta='Global')", CKPT_EVIDENCE_CHECKSUM, 8 },
		{ "save(7, mode='hdf5')", CKPT_EVIDENCE_STRUCTURE, 8 },
		{ "save(7, mode='mpiio')", CKPT_EVIDENCE_STRUCTURE, 8 },
		{ "save(7)\nput(G + 'notes', b'x')", CKPT_EVIDENCE_CHECKSUM, 8 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		const struct ckpt_report *report;

		make(&bench, rows[i].script);
		report = judge(&bench, &cat, CKPT_LEVEL_FULL);
		bench_expect(report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_string_equal(report->format->name, "fti");
		assert_int_equal(report->verdict.evidence, rows[i].evidence);
		assert_int_equal(report->tensors, rows[i].ranks);
		assert_int_equal(report->contents, CKPT_CONTENTS_FULL);
		assert_true(report->position.has_epoch && report->position.epoch == 7);
		assert_int_equal(report->position.meaning, CKPT_EPOCH_SAVE_COUNTER);
	}
}

static void test_fti__not_whole(void **state)
{
	static const struct {
		const char *script, *file;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "os.remove(G + 'Ckpt7-Rank3.fti')", "Ckpt7-Rank3.fti", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "os.remove(G + 'Ckpt7-Rank7.fti')", "Ckpt7-Rank7.fti", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "os.truncate(G + 'Ckpt7-Rank5.fti', 99)", "Ckpt7-Rank5.fti", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "os.truncate(G + 'Ckpt7-Rank5.fti', 9999)", "Ckpt7-Rank5.fti", CKPT_CORRUPT,
		  CKPT_PROBLEM_TRAILING },
		{ "shutil.rmtree(M)", "l4", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
		{ "os.remove(M + 'sector1-group1.fti')", "l4", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "os.remove(M + 'sector0-group1.fti')", "l4", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_MEMBER_MISSING },
		{ "shutil.rmtree(G)\nsave(8)\nsave(7)\nshutil.rmtree(G)\n"
		  "shutil.move(M, 'old')\nsave(8)\nshutil.rmtree(M)\nshutil.move('old', M)",
		  "Ckpt7-Rank0.fti", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ "old = open(M + 'sector1-group0.fti').read()\nsave(8)\n"
		  "put(M + 'sector1-group0.fti', old.encode())",
		  "l4", CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES },
		{ "put(M + 'sector1-group0.fti', b'')", "l4", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "put(M + 'sector1-group0.fti', b'[0]\\n[1]\\n')", "l4", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "save(7, kind='dcp')", "l4", CKPT_UNREADABLE, CKPT_PROBLEM_HEADER },
		{ "shutil.rmtree(G)\nsave(7, mode='mpiio')\nos.truncate(G + 'Ckpt7-mpiio.fti', 99)",
		  "Ckpt7-mpiio.fti", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		const struct ckpt_report *report;
		char script[1024];

		snprintf(script, sizeof(script), "save(7)\n%s", rows[i].script);
		make(&bench, script);
		report = judge(&bench, &cat, CKPT_LEVEL_STRUCTURE);
		bench_expect(report, rows[i].status, rows[i].code);
		assert_string_equal(report->verdict.problem.file, rows[i].file);
	}
}

/* Any byte of the data is known by its MD5, and by that alone. */
static void test_fti__flipped(void **state)
{
	static const size_t at[] = { 0, 255, 499 };

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, after = { 0 };
		const struct ckpt_report *report;

		make(&bench, "save(7)");
		bench_flip(&bench, "Global/" ID "/l4/Ckpt7-Rank0.fti", at[i]);
		bench_expect(judge(&bench, &cat, CKPT_LEVEL_STRUCTURE), CKPT_VALID,
			     CKPT_PROBLEM_NONE);
		report = judge(&bench, &after, CKPT_LEVEL_FULL);
		bench_expect(report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		assert_string_equal(report->verdict.problem.file, "Ckpt7-Rank0.fti");
	}
}

/* A book cannot lead out of the directory, nor make sums overflow. */
static void test_fti__hostile_books(void **state)
{
	static const char *const files[] = { "../../../secret", "", "a/b" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		char script[512];

		snprintf(script, sizeof(script),
			 "save(7, nodes=2, per_node=1)\nput('./secret', b'x')\n"
			 "put(M + 'sector0-group0.fti', (section('ckpt_info', (('ckpt_id', 7),)) + "
			 "section(0, (('Ckpt_file_name', '%s'), ('Ckpt_file_size', 1)))).encode())",
			 files[i]);
		make(&bench, script);
		bench_expect(judge(&bench, &cat, CKPT_LEVEL_FULL), CKPT_CORRUPT,
			     CKPT_PROBLEM_HEADER);
	}
}

/* A directory of the name alone, and what FTI is still writing, are no candidates. */
static void test_fti__not_ours(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };

	(void)state;
	make(&bench, "save(7)\nos.rename(G, 'Global/' + ID + '/tmp')\nput('a/l4/notes', b'x')");
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, bench.path, 0, NULL, &err), 0);
	assert_int_equal(cat.n_sets, 0);
}

/* FTI-FF keeps its books at the end of each file: without others it is not incomplete. */
static void test_fti__own_file_format(void **state)
{
	static const struct {
		const char *script;
		enum ckpt_status status;
	} rows[] = {
		{ "save(7)\nshutil.rmtree('Meta')", CKPT_INCOMPLETE },
		{ "save(7)\nshutil.rmtree('Meta')\n"
		  "for n in os.listdir(G):\n"
		  "    open(G + n, 'ab').write(b'0123456789abcdef' * 2 + bytes(74))",
		  CKPT_UNREADABLE },
		{ "save(7)\nshutil.rmtree('Meta')\n"
		  "for n in os.listdir(G):\n"
		  "    open(G + n, 'ab').write(b'0123456789abcdef' * 2 + bytes(73))",
		  CKPT_UNREADABLE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
		_cleanup_bench_ struct bench bench;

		make(&bench, rows[i].script);
		assert_int_equal(judge(&bench, &cat, CKPT_LEVEL_FULL)->verdict.status,
				 rows[i].status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fti__whole),
		cmocka_unit_test(test_fti__own_file_format),
		cmocka_unit_test(test_fti__not_whole),
		cmocka_unit_test(test_fti__flipped),
		cmocka_unit_test(test_fti__hostile_books),
		cmocka_unit_test(test_fti__not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
