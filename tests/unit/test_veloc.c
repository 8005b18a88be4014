/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VELOC's files as tests/data/make_veloc.py writes them after VELOC's own code: single ones, sets
 * of ranks, aggregated ones with their offsets, digests in the meta directory; and what kills and
 * bits do to them.
 */
#include "core/format/hpc/veloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "tests/unit/support/judge.h"

#define RANK0 "persistent/heat-0-6.dat"
#define ALL "heat-agg-6.dat"
#define TABLE (8 + 5 * 12) /* of make_veloc.py's five regions */

static void make(struct bench *bench, const char *script)
{
	char text[2048];

	bench_init(bench);
	snprintf(text, sizeof(text),
		 "import sys\nsys.path.insert(0, '%s')\nsys.dont_write_bytecode = 1\n"
		 "from make_veloc import *\n%s\n",
		 CKPT_TEST_DATA, script);
	assert_true(bench_python(bench, text));
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "veloc");
	bench_expect(ret, status, code);
}

/* The same in the directory persistent/, beside which others stand. */
static void expect_there(struct bench *bench, const char *name, enum ckpt_status status,
			 enum ckpt_problem_code code, struct ckpt_report *ret)
{
	struct bench there = { .fd = openat(bench->fd, "persistent", O_RDONLY | O_DIRECTORY) };

	assert_true(there.fd >= 0);
	expect(&there, name, status, code, ret);
	close(there.fd);
}

/* The set of version @version in the catalog of persistent/, checked in full. */
static const struct ckpt_report *judge_set(struct bench *bench, struct ckpt_catalog *cat,
					   int64_t version)
{
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err = { 0 };
	char dir[128];

	snprintf(dir, sizeof(dir), "%s/persistent", bench->path);
	assert_int_equal(ckpt_catalog_scan(&ctx, cat, dir, 0, NULL, &err), 0);
	for (size_t i = 0; i < cat->n_sets; i++)
		if (cat->sets[i].number == version)
			return ckpt_set_verify(&ctx, &cat->sets[i], CKPT_LEVEL_FULL);
	fail_msg("no version %lld", (long long)version);
	return NULL;
}

static void test_veloc__whole(void **state)
{
	static const char *const how[] = {
		"rank(0, 6)",
		"rank(0, 6, regions=((0, 0),))",
		"rank(0, 6, regions=((-2147483648, 5), (2147483647, 5)))",
		"rank(0, 6, regions=[(i, i % 3) for i in range(3000)])",
	};
	struct ckpt_report report;

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		_cleanup_bench_ struct bench bench;

		make(&bench, how[i]);
		expect(&bench, RANK0, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_string_equal(report.framework, "VELOC");
		assert_int_equal(report.tensors, i == 0 ? 5 : i == 3 ? 3000 : i);
	}
}

/* A kill leaves a shorter file, or zeros where the table comes last. */
static void test_veloc__every_cut(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	make(&bench, "rank(0, 6)");
	data = bench_read(&bench, RANK0, &len);
	assert_int_equal(len, TABLE + 40 + 8 + 4096 + 123);
	bench_write(&bench, "whole", data, len);
	for (size_t cut = 1; cut < len; cut += cut < 200 || cut > len - 9 ? 1 : 97) {
		bench_write(&bench, RANK0, data, cut);
		expect(&bench, RANK0, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
	for (size_t written = 0; written < TABLE; written += written ? 12 : 8) {
		_cleanup_free_ unsigned char *late = bench_read(&bench, "whole", &len);

		memset(late + written, 0, TABLE - written);
		bench_write(&bench, RANK0, late, len);
		expect(&bench, RANK0, CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, &report);
	}
	bench_write(&bench, RANK0, data, len);
	bench_resize(&bench, RANK0, len + 1);
	expect(&bench, RANK0, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, &report);
	assert_int_equal(report.verdict.problem.offset, len);
}

/* Each bit of the table counts, but those of a number that stays between its neighbours. */
static void test_veloc__every_byte_of_the_table(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	make(&bench, "rank(0, 6)");
	for (size_t at = 0; at < TABLE; at++) {
		bool number = at >= 8 && (at - 8) % 12 < 4;

		bench_flip(&bench, RANK0, at);
		bench_judge(&bench, RANK0, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		if (!number && report.format != &ckpt_format_veloc)
			assert_true(at < 8);
		else if (!number)
			assert_int_not_equal(report.verdict.status, CKPT_VALID);
		bench_flip(&bench, RANK0, at);
	}
	bench_flip(&bench, RANK0, 8 + 24 + 3); /* -3, 0, 2^24 + 1, 7 */
	expect(&bench, RANK0, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	assert_int_equal(report.verdict.problem.offset, 8 + 36);
}

/* Names alone make no VELOC file, nor bytes alone. */
static void test_veloc__not_ours(void **state)
{
	static const char *const names[] = { "heat-0-6.bin", "heat-6.dat",   "heat-x-6.dat",
					     "heat0-6.dat",  "-0-6.dat",     "heat-0-.dat",
					     "-agg-6.dat",   "heat-0-6x.dat" };
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	make(&bench, "rank(0, 6)");
	data = bench_read(&bench, RANK0, &len);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bench_write(&bench, names[i], data, len);
		bench_judge(&bench, names[i], CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "opaque");
	}
	bench_text(&bench, RANK0, "a file of the user's own that VELOC only moves\n");
	bench_judge(&bench, RANK0, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "opaque");
}

static void test_veloc__ranks_are_a_set(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	const struct ckpt_report *report;

	(void)state;
	make(&bench, "version(5)\nversion(12)\nversion(6, name='other', ranks=1)");
	report = judge_set(&bench, &cat, 12);
	bench_expect(report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report->verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_int_equal(cat.n_sets, 3);
	assert_string_equal(cat.sets[0].name, "heat-0-12.dat");
	assert_string_equal(cat.sets[0].members[3], "heat-3-12.dat");
	assert_null(cat.sets[0].members[4]);
	assert_int_equal(cat.sets[0].crew->n, 4);
	assert_string_equal(cat.sets[1].name, "heat-0-5.dat");
	assert_int_equal(cat.sets[2].crew->n, 1);
}

/* Ranks without a file: between others, and, as other versions tell, behind them. */
static void test_veloc__missing_rank(void **state)
{
	static const char *const lost[] = { "heat-0-6.dat", "heat-2-6.dat", "heat-3-6.dat" };

	(void)state;
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, after = { 0 };
		const struct ckpt_report *report;
		char path[64];

		make(&bench, "version(5)\nversion(6)");
		snprintf(path, sizeof(path), "persistent/%s", lost[i]);
		bench_remove(&bench, path);
		report = judge_set(&bench, &cat, 6);
		bench_expect(report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
		assert_string_equal(report->verdict.problem.file, lost[i]);
		bench_expect(judge_set(&bench, &after, 5), CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

/* A pinned version, of which the directory was not scanned, has to have the others' ranks too. */
static void test_veloc__missing_rank_of_a_pin(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *set;
	char path[128];

	(void)state;
	make(&bench, "version(5)\nversion(6)");
	bench_remove(&bench, "persistent/heat-3-6.dat");
	snprintf(path, sizeof(path), "%s/" RANK0, bench.path);
	assert_int_equal(ckpt_catalog_add_path(&ctx, &cat, path, &set, NULL), 0);
	bench_expect(ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL), CKPT_INCOMPLETE,
		     CKPT_PROBLEM_SHARD_MISSING);
}

/* The chksum module's digests count, wherever the meta directory stands beside. */
static void test_veloc__digests_in_the_meta_directory(void **state)
{
	static const char *const metas[] = { "meta", "persistent", "another" };

	(void)state;
	for (size_t i = 0; i < sizeof(metas) / sizeof(metas[0]); i++) {
		_cleanup_bench_ struct bench bench;
		_cleanup_catalog_ struct ckpt_catalog cat = { 0 }, after = { 0 };
		const struct ckpt_report *report;
		char script[256];

		snprintf(script, sizeof(script),
			 "put('a/b', b'')\nversion(6, chksum=True, meta='%s')", metas[i]);
		make(&bench, script);
		report = judge_set(&bench, &cat, 6);
		bench_expect(report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report->verdict.evidence, CKPT_EVIDENCE_SEAL);
		assert_true(bench_python(&bench, "import os\nF = 'persistent/heat-2-6.dat'\n"
						 "d = bytearray(open(F, 'rb').read())\nd[-1] ^= 1\n"
						 "open(F, 'wb').write(d)\nos.utime(F, (1, 1))"));
		report = judge_set(&bench, &after, 6);
		bench_expect(report, CKPT_CORRUPT, CKPT_PROBLEM_DIGEST);
		assert_string_equal(report->verdict.problem.file, "heat-2-6.dat");
	}
}

static void test_veloc__aggregated(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	make(&bench, "aggregated(6)\naggregated(7, offsets=False)\naggregated(8, ranks=1)");
	expect_there(&bench, ALL, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.verdict.note, "");
	assert_int_equal(report.tensors, 2 + 3 + 4 + 5);
	expect_there(&bench, "heat-agg-8.dat", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.verdict.note, "");
	expect_there(&bench, "heat-agg-7.dat", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_non_null(strstr(report.verdict.note, "offsets"));
	expect_there(&bench, "../meta/heat-agg-6.dat", CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER,
		     &report);
}

/* Parts that were not flushed: the last ones are just absent, others are holes. */
static void test_veloc__aggregated_damaged(void **state)
{
	static const struct {
		const char *how;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "os.truncate(F, at[3])", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ "os.truncate(F, at[3] + 9)", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "os.truncate(F, os.path.getsize(F) - 1)", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "os.truncate(F, os.path.getsize(F) + 1)", CKPT_CORRUPT, CKPT_PROBLEM_TRAILING },
		{ "patch(F, at[1], bytes(at[2] - at[1]))", CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER },
		{ "patch(M, 16, b'\\1')", CKPT_INCOMPLETE, CKPT_PROBLEM_DIRECTORY },
		{ "patch(F, 12, b'\\1')", CKPT_INCOMPLETE, CKPT_PROBLEM_DIRECTORY },
		{ "patch(F, at[2] + 12 + 6, b'\\1')", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "patch(F, at[2] + 3, b'\\1')", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	};
	struct ckpt_report report;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		char script[512];

		snprintf(script, sizeof(script),
			 "def patch(f, at, b):\n"
			 "    with open(f, 'r+b') as f: f.seek(at); f.write(b)\n"
			 "F, M = 'persistent/" ALL
			 "', 'meta/heat-agg-6.dat'\nat = aggregated(6)\n%s",
			 rows[i].how);
		make(&bench, script);
		expect_there(&bench, ALL, rows[i].status, rows[i].code, &report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_veloc__whole),
		cmocka_unit_test(test_veloc__every_cut),
		cmocka_unit_test(test_veloc__every_byte_of_the_table),
		cmocka_unit_test(test_veloc__not_ours),
		cmocka_unit_test(test_veloc__ranks_are_a_set),
		cmocka_unit_test(test_veloc__missing_rank),
		cmocka_unit_test(test_veloc__missing_rank_of_a_pin),
		cmocka_unit_test(test_veloc__digests_in_the_meta_directory),
		cmocka_unit_test(test_veloc__aggregated),
		cmocka_unit_test(test_veloc__aggregated_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
