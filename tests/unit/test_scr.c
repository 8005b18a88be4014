/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCR's prefix as tests/data/make_scr.py leaves it: complete datasets, incomplete and failed ones,
 * lost and damaged files, damaged books, hostile maps.
 */
#include "core/format/hpc/scr.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/format/hpc/kvtree.h"
#include "tests/unit/support/judge.h"

#define SAMPLE "../shared/samples/scr/flush.scr"

static void make(struct bench *bench, const char *script)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "import sys\nsys.path.insert(0, '%s')\nsys.dont_write_bytecode = 1\n"
		 "from make_scr import *\n%s\n",
		 CKPT_TEST_DATA, script);
	assert_true(bench_python(bench, text));
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "scr");
	bench_expect(ret, status, code);
}

static void test_scr__whole(void **state)
{
	static const struct {
		const char *script;
		enum ckpt_evidence evidence;
	} rows[] = {
		{ "index(dataset(5), dataset(6))", CKPT_EVIDENCE_STRUCTURE },
		{ "index(dataset(5), dataset(6, crc=True))", CKPT_EVIDENCE_CHECKSUM },
		{ "index(dataset(5), dataset(6, ranks=40, levels=4))", CKPT_EVIDENCE_STRUCTURE },
	};
	struct ckpt_report report;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;

		bench_init(&bench);
		make(&bench, rows[i].script);
		expect(&bench, "ckpt.6", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, rows[i].evidence);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_true(report.position.has_epoch && report.position.epoch == 6);
		assert_int_equal(report.position.meaning, CKPT_EPOCH_SAVE_COUNTER);
		assert_true(report.verdict.size_bytes > 3000);
	}
}

/* What SCR itself would not restart from. */
static void test_scr__not_complete(void **state)
{
	static const struct {
		const char *options;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "complete=0", CKPT_PROBLEM_MEMBER_MISSING },
		{ "failed='2026-01-02T03:04:05'", CKPT_PROBLEM_MEMBER_MISSING },
		{ "summary=0", CKPT_PROBLEM_MEMBER_MISSING },
		{ "output=True", CKPT_PROBLEM_HEADER },
		{ "more=1", CKPT_PROBLEM_SHARD_MISSING },
		{ "lack=1", CKPT_PROBLEM_TRUNCATED },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[128];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(script, sizeof(script), "index(dataset(5), dataset(6, %s))",
			 rows[i].options);
		make(&bench, script);
		expect(&bench, "ckpt.6", CKPT_INCOMPLETE, rows[i].code, &report);
		expect(&bench, "ckpt.5", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	}
	make(&bench, "index(dataset(5), dataset(6, lack=-1))");
	expect(&bench, "ckpt.6", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	make(&bench, "index(dataset(6, more=-1))");
	expect(&bench, "ckpt.6", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
}

static void test_scr__files(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "index(dataset(5), dataset(6, crc=True))");
	bench_flip(&bench, "ckpt.6/rank_1.dat", 500);
	expect(&bench, "ckpt.6", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.file, "ckpt.6/rank_1.dat");
	bench_judge(&bench, "ckpt.6", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_flip(&bench, "ckpt.6/rank_1.dat", 500);
	bench_resize(&bench, "ckpt.6/rank_2.dat", 700);
	expect(&bench, "ckpt.6", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	bench_resize(&bench, "ckpt.6/rank_2.dat", 1700);
	expect(&bench, "ckpt.6", CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, &report);
	bench_resize(&bench, "ckpt.5/rank_2.dat", 700);
	expect(&bench, "ckpt.5", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	bench_remove(&bench, "ckpt.5/rank_2.dat");
	expect(&bench, "ckpt.5", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
	assert_string_equal(report.verdict.problem.file, "ckpt.5/rank_2.dat");
}

/* Each byte of the books is proved by their CRC. */
static void test_scr__books(void **state)
{
	static const char *const books[] = { ".scr/scr.dataset.6/summary.scr",
					     ".scr/scr.dataset.6/rank2file",
					     ".scr/scr.dataset.6/rank2file.0.1" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "index(dataset(6))");
	for (size_t i = 0; i < sizeof(books) / sizeof(books[0]); i++) {
		_cleanup_free_ unsigned char *data = bench_read(&bench, books[i], &len);

		for (size_t at = 0; at < len; at++) {
			bench_flip(&bench, books[i], at);
			bench_judge(&bench, "ckpt.6", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE,
				    &report);
			assert_true(report.verdict.status == CKPT_CORRUPT ||
				    report.verdict.status == CKPT_INCOMPLETE);
			assert_string_equal(report.verdict.problem.file, books[i]);
			bench_flip(&bench, books[i], at);
		}
		bench_resize(&bench, books[i], len - 1);
		expect(&bench, "ckpt.6", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
		bench_remove(&bench, books[i]);
		expect(&bench, "ckpt.6", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, &report);
		bench_write(&bench, books[i], data, len);
	}
	expect(&bench, "ckpt.6", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
}

/* A directory that the index does not name, or whose index is damaged, is not SCR's to judge. */
static void test_scr__others(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "index(dataset(6))\nos.makedirs('ckpt.7')");
	bench_judge(&bench, "ckpt.7", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	assert_true(!report.format || strcmp(report.format->name, "scr") != 0);
	bench_flip(&bench, ".scr/index.scr", 40);
	bench_judge(&bench, "ckpt.6", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_UNREADABLE);
}

static void test_scr__halt(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "index(dataset(6, crc=True))\nwrite('.scr/halt.scr', {'ExitReason': 'x'})");
	expect(&bench, "ckpt.6", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_non_null(strstr(report.verdict.note, "halt"));
}

/* Maps that name each other, or one another without end. */
static void test_scr__hostile(void **state)
{
	static const struct {
		const char *map;
		enum ckpt_status status;
	} rows[] = {
		{ "{'LEVEL': 1, 'RANK': {0: {'FILE': ''}}}", CKPT_CORRUPT },
		{ "{'LEVEL': 99, 'RANK': {}}", CKPT_CORRUPT },
		{ "{'LEVEL': 1}", CKPT_CORRUPT },
		{ "{'RANK': {}}", CKPT_CORRUPT },
		{ "{'LEVEL': 0, 'RANK': {0: {'FILE': {'/dev/null': {}, '..': {}}}}}",
		  CKPT_UNREADABLE },
		{ "{'LEVEL': 0, 'RANK': {}}", CKPT_INCOMPLETE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[256];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(script, sizeof(script),
			 "index(dataset(6))\nwrite('.scr/scr.dataset.6/rank2file', %s)",
			 rows[i].map);
		make(&bench, script);
		bench_judge(&bench, "ckpt.6", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, rows[i].status);
	}
}

/* Trees that do not fit, under a CRC that holds. */
static void test_scr__torn_trees(void **state)
{
	static const char *const bodies[] = {
		"b''",
		"b'\\0\\0\\0'",
		"b'\\0\\0\\0\\1'",
		"b'\\0\\0\\0\\1A'",
		"b'\\0\\0\\0\\1A\\0\\0\\0'",
		"b'\\xff\\xff\\xff\\xffA\\0' + bytes(4)",
		"b'\\0\\0\\0\\1A\\0' * 50000",
		"pack({'COMPLETE': 1}) + b'x'",
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[256];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		snprintf(script, sizeof(script),
			 "index(dataset(6))\nseal('.scr/scr.dataset.6/summary.scr', %s)",
			 bodies[i]);
		make(&bench, script);
		expect(&bench, "ckpt.6", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
	}
}

/* A file that SCR itself wrote. */
static void test_scr__sample(void **state)
{
	_cleanup_kvtree_ struct ckpt_kvtree tree = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_report report = { 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = {
		.ctx = &ctx, .dirfd = -1, .name = "x", .report = &report, .err = &err
	};
	struct ckpt_bytes below;
	int r = ckpt_kvtree_load(&check, AT_FDCWD, SAMPLE, &tree);

	(void)state;
	if (r == -ENOENT) {
		print_message("skipped: no " SAMPLE "\n");
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(ckpt_kvtree_get(tree.root, "DATASET", &below));
	assert_true(ckpt_kvtree_get(below, "23", &below));
	assert_string_equal(ckpt_kvtree_text(below, "NAME"), "ckpt.23");
	assert_null(ckpt_kvtree_text(below, "NONE"));
}

/* Each of the books by itself: SCR's tools hand them on alone. */
static void test_scr__a_book_alone(void **state)
{
	static const struct {
		ssize_t flip, resize; /* how many bytes from its end; 0: not */
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ 0, 0, CKPT_VALID, CKPT_PROBLEM_NONE },
		{ 1, 0, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ 9, 0, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ 0, -1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ 0, 3, CKPT_VALID, CKPT_PROBLEM_TRAILING },
	};
	struct ckpt_report report;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;

		bench_init(&bench);
		make(&bench, "index(dataset(5), dataset(6))");
		free(bench_read(&bench, ".scr/index.scr", &size));
		if (rows[i].flip)
			bench_flip(&bench, ".scr/index.scr", size - (size_t)rows[i].flip);
		if (rows[i].resize)
			bench_resize(&bench, ".scr/index.scr", size + (size_t)rows[i].resize);
		bench_judge(&bench, ".scr/index.scr", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "kvtree");
		bench_expect(&report, rows[i].status, rows[i].code);
		if (rows[i].status == CKPT_VALID)
			assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	}
}

/* Its beginning may be what is damaged: two of magic, type and length still tell what it is. */
static void test_scr__a_damaged_beginning(void **state)
{
	struct ckpt_report report;

	(void)state;
	for (size_t at = 0; at < 16; at++) {
		_cleanup_bench_ struct bench bench;

		bench_init(&bench);
		make(&bench, "index(dataset(5), dataset(6))");
		bench_flip(&bench, ".scr/index.scr", at);
		bench_judge(&bench, ".scr/index.scr", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "kvtree");
		assert_true(report.verdict.status == CKPT_CORRUPT ||
			    report.verdict.status == CKPT_INCOMPLETE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scr__whole),
		cmocka_unit_test(test_scr__not_complete),
		cmocka_unit_test(test_scr__files),
		cmocka_unit_test(test_scr__books),
		cmocka_unit_test(test_scr__torn_trees),
		cmocka_unit_test(test_scr__others),
		cmocka_unit_test(test_scr__halt),
		cmocka_unit_test(test_scr__hostile),
		cmocka_unit_test(test_scr__sample),
		cmocka_unit_test(test_scr__a_book_alone),
		cmocka_unit_test(test_scr__a_damaged_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
