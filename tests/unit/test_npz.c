/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NumPy archives, stored and deflated: whole ones that NumPy wrote, and every way to damage them.
 */
#include "core/format/array/npz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

#define SAMPLE CKPT_SAMPLES "/numpy/candle/test.npz"

static const char script[] =
	"import numpy as np, zipfile, io\n"
	"r=np.random.RandomState(1)\n"
	"d=dict(w=r.rand(200, 30).astype('f4'), b=np.zeros(50000), epoch=np.int64(4),\n"
	"       global_step=np.array([1200], dtype='>i4'), names=np.array(['a', 'b']),\n"
	"       o=np.array([None, {}], dtype=object))\n"
	"np.savez('stored.npz', **d)\n"
	"np.savez_compressed('deflated.npz', **d)\n"
	"np.savez('empty.npz')\n"
	"with zipfile.ZipFile('stored.npz') as old, zipfile.ZipFile('packed.npz', 'w') as new:\n"
	"  new.writestr('a/', ''); new.writestr('a/b/', '')\n"
	"  for n in old.namelist(): new.writestr('a/b/' + n, old.read(n))\n"
	"np.savez('chainer.npz', **{'updater/iteration': np.array(77), 'updater/x/y': r.rand(9)})\n"
	"def put(name, method, edit):\n"
	"  b = io.BytesIO(); np.save(b, np.arange(100.)); b = edit(b.getvalue())\n"
	"  with zipfile.ZipFile(name, 'w', method) as z: z.writestr('x.npy', b)\n"
	"put('short.npz', 0, lambda b: b[:-8])\n"
	"put('long.npz', 0, lambda b: b + b'12345678')\n"
	"put('torn.npz', 0, lambda b: b[:40])\n"
	"put('short_d.npz', 8, lambda b: b[:-8])\n"
	"put('long_d.npz', 8, lambda b: b + b'12345678')\n"
	"put('other.npz', 14, lambda b: b)\n"
	"put('version.npz', 0, lambda b: b[:6] + b'\\3' + b[7:])\n"
	"n = 1 << 21\n"
	"put('large.npz', 0, lambda b: b[:6] + b'\\2\\0' + (n + 118).to_bytes(4, 'little') +\n"
	"                              b[10:127] + b' ' * n + b[127:])\n"
	"put('large_d.npz', 8, lambda b: b[:6] + b'\\2\\0' + (n + 118).to_bytes(4, 'little') +\n"
	"                              b[10:127] + b' ' * n + b[127:])\n";

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code)
{
	struct ckpt_report report;

	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "npz");
	bench_expect(&report, status, code);
}

static bool make(struct bench *bench)
{
	bench_init(bench);
	if (bench_python(bench, script))
		return true;
	print_message("NumPy is not here\n");
	return false;
}

static void test_npz__whole(void **state)
{
	static const char *const names[] = { "stored.npz", "deflated.npz" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	for (int i = 0; i < 2; i++) {
		bench_judge(&bench, names[i], CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "npz");
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_string_equal(report.verdict.note, "");
		assert_int_equal(report.tensors, 6);
		assert_true(ckpt_report_has_key(&report, "w"));
		assert_int_equal(report.position.has_epoch, i == 0);
	}
	bench_judge(&bench, "stored.npz", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_true(report.position.epoch == 4);
	assert_int_equal(report.position.step, 1200);
	expect(&bench, "packed.npz", CKPT_VALID, CKPT_PROBLEM_NONE); /* by zip, directories first */
	bench_judge(&bench, "chainer.npz", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.position.step, 77);
	assert_true(ckpt_report_has_key(&report, "updater"));
}

/* A header longer than its entry is torn; of one too long to be looked at the sum decides. */
static void test_npz__header_lengths(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, at;

	(void)state;
	if (!make(&bench))
		skip();
	expect(&bench, "version.npz", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	expect(&bench, "large.npz", CKPT_VALID, CKPT_PROBLEM_NONE);
	expect(&bench, "large_d.npz", CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_judge(&bench, "large.npz", CKPT_KIND_FILE, CKPT_LEVEL_FINITE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	data = bench_read(&bench, "large.npz", &len);
	at = (size_t)((unsigned char *)memmem(data, len, "NUMPY", 5) - data);
	bench_flip(&bench, "large.npz", at + 200);
	expect(&bench, "large.npz", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
}

static void test_npz__members(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "short.npz", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "long.npz", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "torn.npz", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "short_d.npz", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "long_d.npz", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&bench, rows[i].name, rows[i].status, rows[i].code);
	bench_judge(&bench, "other.npz", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_non_null(strstr(report.verdict.note, "1 entries"));
}

/* A bit anywhere but in fields that no reader looks at. */
static void flips(struct bench *bench, const char *name)
{
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, end, found = 0, tried = 0;

	data = bench_read(bench, name, &len);
	end = (size_t)((unsigned char *)memmem(data, len, "PK\1\2", 4) - data);
	bench_write(bench, "flip.npz", data, len);
	for (size_t at = 64; at < end; at += 97, tried++) {
		bench_flip(bench, "flip.npz", at);
		bench_judge(bench, "flip.npz", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		found += report.verdict.status == CKPT_CORRUPT;
		bench_flip(bench, "flip.npz", at);
	}
	assert_true(tried > 200);
	/* times, extra fields and versions in local headers say nothing of the data */
	assert_true(found + 4 >= tried);
	expect(bench, "flip.npz", CKPT_VALID, CKPT_PROBLEM_NONE);
}

static void test_npz__flips(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!make(&bench))
		skip();
	flips(&bench, "stored.npz");
	flips(&bench, "deflated.npz");
}

static void test_npz__cuts(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	if (!make(&bench))
		skip();
	data = bench_read(&bench, "deflated.npz", &len);
	for (size_t cut = 50; cut < len; cut += 61) {
		bench_write(&bench, "cut.npz", data, cut);
		bench_judge(&bench, "cut.npz", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		if (report.verdict.problem.code != CKPT_PROBLEM_ZERO_TAIL)
			bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
	bench_write(&bench, "cut.npz", data, len);
	bench_resize(&bench, "cut.npz", len + 10);
	expect(&bench, "cut.npz", CKPT_VALID, CKPT_PROBLEM_TRAILING);
	memset(data + len - 100, 0, 100);
	bench_write(&bench, "cut.npz", data, len);
	expect(&bench, "cut.npz", CKPT_CORRUPT, CKPT_PROBLEM_ZERO_TAIL);
}

static void test_npz__sample(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	bench_init(&bench);
	if (!bench_copy(&bench, SAMPLE, "test.npz")) {
		print_message("no sample: %s\n", SAMPLE);
		skip();
	}
	expect(&bench, "test.npz", CKPT_VALID, CKPT_PROBLEM_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_npz__whole),	    cmocka_unit_test(test_npz__members),
		cmocka_unit_test(test_npz__header_lengths), cmocka_unit_test(test_npz__flips),
		cmocka_unit_test(test_npz__cuts),	    cmocka_unit_test(test_npz__sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
