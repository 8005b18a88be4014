/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GROMACS checkpoints: those of a real run with its output files, and built ones of all versions of
 * the header.
 */
#include "core/format/hpc/gromacs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

struct bytes {
	unsigned char data[8192];
	size_t n;
};

static void put(struct bytes *b, uint64_t v, int n)
{
	for (int i = n - 1; i >= 0; i--)
		b->data[b->n++] = (unsigned char)(v >> (8 * i));
}

static void put_text(struct bytes *b, const char *text)
{
	size_t len = strlen(text);

	put(b, len, 4);
	memcpy(b->data + b->n, text, len);
	b->n += (len + 3) / 4 * 4;
}

/* A checkpoint of @version of the format at @step, with an empty table of files. */
static void build(struct bytes *b, unsigned version, uint64_t step)
{
	memset(b, 0, sizeof(*b));
	put(b, 171817, 4);
	put_text(b, "VERSION 4.6.5");
	for (int i = 0; i < 5; i++)
		put_text(b, i < 3 ? "" : "some text");
	put(b, version, 4);
	if (version >= 13)
		put(b, 1, 4);
	if (version >= 12)
		put_text(b, "node17");
	for (unsigned i = 0; i < 2u + (version >= 10) + (version >= 11) + (version >= 14) + 1; i++)
		put(b, i, 4);
	if (version >= 3)
		put(b, 1, 4);
	put(b, step, version >= 5 ? 8 : 4);
	for (int i = 0; i < 100; i++)
		put(b, 0x3fc99999u + (unsigned)i, 4);
	put(b, 0, 4);
	put(b, 171819, 4);
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "gromacs");
	bench_expect(ret, status, code);
}

static void test_gromacs__versions(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	for (unsigned version = 2; version <= 25; version++) {
		build(&b, version, 123456);
		bench_write(&bench, "state.cpt", b.data, b.n);
		expect(&bench, "state.cpt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.position.step, 123456);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_string_equal(report.framework, "GROMACS VERSION 4.6.5");
	}
	build(&b, 22, 1ull << 40);
	bench_write(&bench, "state.cpt", b.data, b.n);
	expect(&bench, "state.cpt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_true(report.position.step == 1ll << 40);
}

static void test_gromacs__damaged(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	build(&b, 22, 5);
	for (size_t cut = 4; cut < b.n; cut++) {
		bench_write(&bench, "state.cpt", b.data, cut);
		bench_judge(&bench, "state.cpt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "gromacs");
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	}
	memset(b.data + b.n - 64, 0, 64);
	bench_write(&bench, "state.cpt", b.data, b.n);
	expect(&bench, "state.cpt", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, &report);
	build(&b, 22, 5);
	b.data[4] = 0x7f; /* the version's length */
	bench_write(&bench, "state.cpt", b.data, b.n);
	expect(&bench, "state.cpt", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	build(&b, 22, UINT64_MAX);
	bench_write(&bench, "state.cpt", b.data, b.n);
	expect(&bench, "state.cpt", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
	build(&b, 2000, 5);
	bench_write(&bench, "state.cpt", b.data, b.n);
	expect(&bench, "state.cpt", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, &report);
}

/* Output files as mdrun left them, longer, changed, cut and gone. */
static void test_gromacs__outputs(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char command[256];
	size_t len;

	(void)state;
	bench_init(&bench);
	snprintf(command, sizeof(command), "cd %s && " CKPT_TEST_DATA "/make_md.sh gromacs",
		 bench.path);
	if (system(command) != 0) {
		print_message("GROMACS is not here\n");
		skip();
	}
	expect(&bench, "run.cpt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 200);
	free(bench_read(&bench, "run.xtc", &len));
	bench_resize(&bench, "run.xtc", len + 1000);
	expect(&bench, "run.cpt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	bench_flip(&bench, "run.xtc", len / 2);
	expect(&bench, "run.cpt", CKPT_INCOMPLETE, CKPT_PROBLEM_DIGEST, &report);
	assert_string_equal(report.verdict.problem.member, "run.xtc");
	bench_flip(&bench, "run.xtc", len / 2);
	bench_resize(&bench, "run.xtc", 1000);
	expect(&bench, "run.cpt", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	bench_remove(&bench, "run.xtc");
	expect(&bench, "run.cpt", CKPT_VALID, CKPT_PROBLEM_MEMBER_MISSING, &report);
	assert_non_null(strstr(report.verdict.problem.detail, "run.xtc"));
}

static void put_output(struct bytes *b, const char *name, uint64_t offset)
{
	put_text(b, name);
	put(b, offset, 8);
	put(b, UINT32_MAX, 4);
	for (int i = 0; i < 16; i++)
		put(b, 0, 4);
}

/* The state of a run with lambdas holds 1, 2, 1.0 and many zeros, which is like a table of one file
 * with a name of two bytes. */
static void test_gromacs__numbers_like_a_table(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct bytes b;

	(void)state;
	bench_init(&bench);
	build(&b, 22, 5);
	b.n -= 8;
	put(&b, 1, 4);
	put(&b, 2, 4);
	put(&b, 0x3ff0000000000000u, 8);
	for (int i = 0; i < 20; i++)
		put(&b, 0, 4);
	put(&b, 2, 4);
	put_output(&b, "run.log", 700);
	put_output(&b, "\xc3\xa9tat.edr", 300);
	put(&b, 171819, 4);
	bench_write(&bench, "run.cpt", b.data, b.n);
	bench_write(&bench, "run.log", b.data, 700);
	bench_write(&bench, "\xc3\xa9tat.edr", b.data, 300);
	expect(&bench, "run.cpt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	bench_resize(&bench, "\xc3\xa9tat.edr", 299);
	expect(&bench, "run.cpt", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	assert_string_equal(report.verdict.problem.member, "\xc3\xa9tat.edr");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gromacs__versions),
		cmocka_unit_test(test_gromacs__damaged),
		cmocka_unit_test(test_gromacs__outputs),
		cmocka_unit_test(test_gromacs__numbers_like_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
