/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LAMMPS restart files of a real run, single and in sets; and built headers.
 */
#include "core/format/hpc/lammps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "core/catalog/order.h"
#include "tests/unit/support/judge.h"

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "lammps");
	bench_expect(ret, status, code);
}

static void expect_set(struct bench *bench, const char *name, enum ckpt_status status,
		       enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_PREFIX, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "lammps-set");
	bench_expect(ret, status, code);
}

struct bytes {
	unsigned char data[1024];
	size_t n;
	bool big;
};

static void put(struct bytes *b, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		b->data[b->n++] = (unsigned char)(v >> (8 * (b->big ? n - 1 - i : i)));
}

static void put_text(struct bytes *b, unsigned flag, const char *text)
{
	put(b, flag, 4);
	put(b, strlen(text) + 1, 4);
	memcpy(b->data + b->n, text, strlen(text) + 1);
	b->n += strlen(text) + 1;
}

static void put_magic(struct bytes *b)
{
	memcpy(b->data + b->n, "LammpS RestartT", 16);
	b->n += 16;
}

/* A base file of a set of @parts, at step 4711. */
static void build(struct bytes *b, bool big, unsigned wide, uint64_t parts)
{
	memset(b, 0, sizeof(*b));
	b->big = big;
	put_magic(b);
	put(b, 1, 4);
	put(b, 2, 4);
	put_text(b, 0, "29 Sep 2021");
	for (unsigned flag = 1; flag <= 3; flag++) {
		put(b, flag, 4);
		put(b, flag == 3 ? wide : 4, 4);
	}
	put_text(b, 4, "real");
	put(b, 5, 4);
	put(b, 4711, (int)wide);
	for (int i = 0; i < 40; i++)
		put(b, 99, 4);
	put(b, 44, 4);
	put(b, parts, 4);
	put(b, 45, 4);
	put(b, 0, 4);
	put(b, UINT32_MAX, 4);
	put_magic(b);
}

static void build_part(struct bytes *b, bool big)
{
	memset(b, 0, sizeof(*b));
	b->big = big;
	put(b, 46, 4);
	put(b, 1, 4);
	put(b, 47, 4);
	put_magic(b);
}

static void test_lammps__built(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b, part;
	char name[64];

	(void)state;
	bench_init(&bench);
	for (int i = 0; i < 4; i++) {
		build(&b, i & 1, i & 2 ? 4 : 8, 12);
		bench_write(&bench, "base.base.3", b.data, b.n);
		build_part(&part, i & 1);
		for (int k = 0; k < 12; k++) {
			snprintf(name, sizeof(name), "base.%d.3", k);
			bench_write(&bench, name, part.data, part.n);
		}
		expect(&bench, "base.base.3", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.position.step, 4711);
		assert_string_equal(report.framework, "LAMMPS 29 Sep 2021");
		assert_int_equal(report.verdict.size_bytes, b.n + 12 * part.n);
		for (size_t cut = 4; cut < b.n; cut++) {
			bench_write(&bench, "base.base.3", b.data, cut);
			bench_judge(&bench, "base.base.3", CKPT_KIND_FILE, CKPT_LEVEL_FULL,
				    &report);
			assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		}
	}
	build(&b, false, 8, 1u << 30);
	bench_write(&bench, "base.base.3", b.data, b.n);
	expect(&bench, "base.base.3", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	build(&b, false, 8, 2);
	bench_write(&bench, "renamed", b.data, b.n);
	expect(&bench, "renamed", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

/* The set by its name with '%', and what is not one. */
static void test_lammps__sets(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b, part;
	char name[64];

	(void)state;
	bench_init(&bench);
	build(&b, false, 8, 3);
	build_part(&part, false);
	bench_write(&bench, "x.base.3", b.data, b.n);
	for (int k = 0; k < 3; k++) {
		snprintf(name, sizeof(name), "x.%d.3", k);
		bench_write(&bench, name, part.data, part.n);
	}
	expect_set(&bench, "x.%.3", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 4711);
	assert_int_equal(report.verdict.size_bytes, b.n + 3 * part.n);
	expect(&bench, "x.1.3", CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, &report);
	bench_remove(&bench, "x.1.3");
	expect_set(&bench, "x.%.3", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
	assert_string_equal(report.verdict.problem.file, "x.1.3");
	bench_write(&bench, "x.1.3", part.data, part.n - 1);
	expect_set(&bench, "x.%.3", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	assert_string_equal(report.verdict.problem.file, "x.1.3");
	bench_write(&bench, "x.1.3", part.data, part.n);
	for (size_t cut = 0; cut < b.n; cut++) {
		bench_write(&bench, "x.base.3", b.data, cut);
		bench_judge(&bench, "x.%.3", CKPT_KIND_PREFIX, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	}
	build(&b, false, 8, 0); /* a single file */
	bench_write(&bench, "x.base.3", b.data, b.n);
	expect_set(&bench, "x.%.3", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	bench_text(&bench, "x.base.3", "something else, longer than the mark");
	expect_set(&bench, "x.%.3", CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER, &report);
	bench_remove(&bench, "x.base.3");
	expect_set(&bench, "x.%.3", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
	assert_string_equal(report.verdict.problem.file, "x.base.3");
	bench_text(&bench, "x.%.3.index", "a bundle of that name");
	bench_judge(&bench, "x.%.3", CKPT_KIND_PREFIX, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "tf-bundle");
}

static void test_lammps__headers(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
	} rows[] = {
		{ 16, 7 },  /* byte order */
		{ 24, 77 }, /* a record */
		{ 30, 1 },  /* a text's length */
		{ 64, 3 },  /* the width of an integer */
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(&b, false, 8, 0);
		bench_write(&bench, "x", b.data, b.n);
		expect(&bench, "x", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		b.data[rows[i].at] = rows[i].value;
		bench_write(&bench, "x", b.data, b.n);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	}
}

/* By MPI-IO, of two processes with @first and @second numbers: no mark at the end. */
static void build_mpiio(struct bytes *b, bool big, unsigned first, unsigned second)
{
	build(b, big, 8, 0);
	b->n -= 16 + 8;
	put(b, 1, 4);
	put(b, first, 4);
	put(b, second, 4);
	put(b, UINT32_MAX, 4);
	for (unsigned i = 0; i < first + second; i++)
		put(b, 0x3ff0000000000000u + i, 8);
}

static void test_lammps__mpiio(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	for (int big = 0; big < 2; big++) {
		build_mpiio(&b, big, 20, 30);
		bench_write(&bench, "all.mpiio.5", b.data, b.n);
		expect(&bench, "all.mpiio.5", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.position.step, 4711);
		for (size_t cut = 4; cut < b.n; cut++) {
			bench_write(&bench, "all.mpiio.5", b.data, cut);
			expect(&bench, "all.mpiio.5", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
			       &report);
		}
		bench_write(&bench, "all.mpiio.5", b.data, b.n + 1);
		expect(&bench, "all.mpiio.5", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	}
}

/* What a scan makes of the files of a real run: each set one checkpoint, the seal over all of it;
 * of two names in turn both, the step inside says which is newer. */
static void expect_catalog(struct bench *bench)
{
	static const struct {
		const char *name;
		int64_t step;
	} rows[] = {
		{ "lj.restart.100", 100 },    { "lj.restart.50", 50 },
		{ "multi.%.rst", 100 },	      { "set.restart.%.150", 150 },
		{ "set.restart.%.125", 125 }, { "turn.restart.a", 200 },
		{ "turn.restart.b", 180 },
	};
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_set *list[7], *set;
	uint64_t size;

	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, bench->path, 0, NULL, NULL), 0);
	assert_int_equal(cat.n_sets, sizeof(rows) / sizeof(rows[0]));
	for (size_t i = 0; i < cat.n_sets; i++) {
		list[i] = set = &cat.sets[i];
		assert_string_equal(set->name, rows[i].name);
		assert_int_equal(ckpt_set_verify(&ctx, set, CKPT_LEVEL_FULL)->verdict.status,
				 CKPT_VALID);
		assert_int_equal(set->report->position.step, rows[i].step);
		assert_int_equal(ckpt_set_size(set, &size), 0);
		assert_int_equal(size, set->report->verdict.size_bytes);
	}
	assert_int_equal(ckpt_order_sort(list, cat.n_sets), 0);
	assert_string_equal(list[0]->name, "turn.restart.a");
}

static void test_lammps__real(void **state)
{
	static const char *const names[] = { "lj.restart.50", "lj.restart.100", "single.rst",
					     "multi.base.rst" };
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	char command[256];
	size_t len;

	(void)state;
	bench_init(&bench);
	snprintf(command, sizeof(command), "cd %s && " CKPT_TEST_DATA "/make_md.sh lammps",
		 bench.path);
	if (system(command) != 0) {
		print_message("LAMMPS is not here\n");
		skip();
	}
	for (int i = 0; i < 4; i++) {
		expect(&bench, names[i], CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.position.step, i ? 100 : 50);
	}
	expect_set(&bench, "multi.%.rst", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	expect_set(&bench, "set.restart.%.125", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 125);
	expect_catalog(&bench);
	data = bench_read(&bench, "multi.0.rst", &len);
	bench_resize(&bench, "multi.0.rst", len - 1);
	expect(&bench, "multi.base.rst", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	assert_string_equal(report.verdict.problem.file, "multi.0.rst");
	bench_copy(&bench, "single.rst", "multi.0.rst");
	expect(&bench, "multi.base.rst", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	bench_remove(&bench, "multi.0.rst");
	expect(&bench, "multi.base.rst", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
	free(data);
	data = bench_read(&bench, "single.rst", &len);
	for (size_t cut = 16; cut < len; cut += 113) {
		bench_write(&bench, "cut", data, cut);
		bench_judge(&bench, "cut", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lammps__built), cmocka_unit_test(test_lammps__mpiio),
		cmocka_unit_test(test_lammps__sets),  cmocka_unit_test(test_lammps__headers),
		cmocka_unit_test(test_lammps__real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
