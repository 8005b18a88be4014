/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keras archives: a real one, and ones made as Keras makes them, with everything that can go wrong.
 */
#include "core/format/hdf5/keras.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

#define SAMPLE CKPT_SAMPLES "/keras/pre_pr22362_nested_container.keras"

static const char script[] =
	"import h5py, io, json, zipfile, numpy as np\n"
	"b = io.BytesIO()\n"
	"with h5py.File(b, 'w') as f:\n"
	"  f['layers/dense/vars/0'] = np.full((40, 40), 4711.25)\n"
	"  f['optimizer/vars/0'] = np.int32(55)\n"
	"h5 = b.getvalue()\n"
	"meta = json.dumps({'keras_version': '3.0.5', 'date_saved': '2024-01-01@00:00:00'})\n"
	"def put(name, h5, skip=None, *directories):\n"
	"  with zipfile.ZipFile(name, 'w') as z:\n"
	"    for d in directories: z.writestr(d, '')\n"
	"    for n, d in (('metadata.json', meta), ('config.json', '{\"class\": \"keras\"}'),\n"
	"                 ('model.weights.h5', h5)):\n"
	"      if n != skip: z.writestr(n, d)\n"
	"put('good.keras', h5)\n"
	"put('packed.keras', h5, None, 'assets/', 'assets/a/')\n"
	"put('torn.keras', h5[:-100])\n"
	"put('junk.keras', b'x' * 3000)\n"
	"put('no_weights.keras', h5, 'model.weights.h5')\n"
	"put('no_config.keras', h5, 'config.json')\n"
	"with zipfile.ZipFile('other.zip', 'w') as z:\n"
	"  z.writestr('metadata.json', '{}'); z.writestr('a', 'b')\n";

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "keras");
	bench_expect(ret, status, code);
}

static bool make(struct bench *bench)
{
	bench_init(bench);
	if (bench_python(bench, script))
		return true;
	print_message("h5py is not here\n");
	return false;
}

static void test_keras__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	expect(&bench, "good.keras", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_int_equal(report.position.step, 55);
	assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
	assert_int_equal(report.tensors, 2);
	assert_true(ckpt_report_has_key(&report, "layers"));
	expect(&bench, "packed.keras", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 55);
	bench_judge(&bench, "other.zip", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_not_equal(report.format->name, "keras");
}

static void test_keras__members(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_status status;
		enum ckpt_problem_code code;
		const char *member;
	} rows[] = {
		{ "torn.keras", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, "model.weights.h5" },
		{ "junk.keras", CKPT_CORRUPT, CKPT_PROBLEM_HEADER, "model.weights.h5" },
		{ "no_weights.keras", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
		  "model.weights.h5" },
		{ "no_config.keras", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING, "config.json" },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(&bench, rows[i].name, rows[i].status, rows[i].code, &report);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

static void test_keras__damaged(void **state)
{
	const double mark[] = { 4711.25, 4711.25 };
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	if (!make(&bench))
		skip();
	data = bench_read(&bench, "good.keras", &len);
	bench_flip(&bench, "good.keras",
		   (size_t)((unsigned char *)memmem(data, len, mark, sizeof(mark)) - data));
	expect(&bench, "good.keras", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "model.weights.h5");
	for (size_t cut = 100; cut < len; cut += 137) {
		bench_write(&bench, "good.keras", data, cut);
		bench_judge(&bench, "good.keras", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "keras");
		assert_int_not_equal(report.verdict.status, CKPT_VALID);
	}
}

static void test_keras__sample(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	if (!bench_copy(&bench, SAMPLE, "x.keras")) {
		print_message("no sample: %s\n", SAMPLE);
		skip();
	}
	expect(&bench, "x.keras", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keras__whole),
		cmocka_unit_test(test_keras__members),
		cmocka_unit_test(test_keras__damaged),
		cmocka_unit_test(test_keras__sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
