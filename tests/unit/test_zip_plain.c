/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zips of no other row, made as Stable-Baselines3 makes its models (save_to_zip_file() in
 * common/save_util.py): whole, and damaged in every way; and names that promise something else.
 */
#include "core/format/archive/zip_plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "core/format/opaque.h"
#include "tests/unit/support/judge.h"

static const char script[] =
	"import json, random, zipfile\n"
	"r = random.Random(1)\n"
	"def put(name, method):\n"
	"  with zipfile.ZipFile(name, 'w', method) as z:\n"
	"    z.writestr('data', json.dumps({'num_timesteps': 2000, 'n': list(range(300))}))\n"
	"    for n in ('pytorch_variables.pth', 'policy.pth', 'policy.optimizer.pth'):\n"
	"      with z.open(n, 'w', force_zip64=True) as f: f.write(bytes(r.choices(range(9), "
	"k=5000)))\n"
	"    z.writestr('_stable_baselines3_version', '2.3.0')\n"
	"    z.writestr('system_info.txt', '')\n"
	"put('stored.zip', 0)\n"
	"put('deflated.zip', 8)\n"
	"put('unknown.zip', 12)\n"
	"open('program.zip', 'wb').write(b'#!/bin/sh\\n' + open('stored.zip', 'rb').read())\n";

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "zip");
	bench_expect(ret, status, code);
}

static bool make(struct bench *bench)
{
	bench_init(bench);
	return bench_python(bench, script);
}

static void test_zip_plain__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	expect(&bench, "stored.zip", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_string_equal(report.verdict.note, "");
	expect(&bench, "deflated.zip", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	expect(&bench, "unknown.zip", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	bench_judge(&bench, "program.zip", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "opaque");
}

static void test_zip_plain__cuts(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!make(&bench))
		skip();
	bench_expect_cuts(&bench, "stored.zip", "cut.zip", 50, 61, "zip");
}

/* A bit of each member's bytes, and of what tells that it is a zip. */
static void flips(struct bench *bench, const char *name, size_t from, size_t to)
{
	struct ckpt_report report;

	for (size_t at = from; at < to; at += 7) {
		bench_flip(bench, name, at);
		bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "zip");
		assert_int_equal(report.verdict.status, CKPT_CORRUPT);
		bench_flip(bench, name, at);
	}
}

static void test_zip_plain__flips(void **state)
{
	static const char *const names[] = { "stored.zip", "deflated.zip" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench))
		skip();
	for (int i = 0; i < 2; i++) {
		_cleanup_free_ unsigned char *data = NULL;
		size_t len;

		data = bench_read(&bench, names[i], &len);
		flips(&bench, names[i], 0, 4);
		flips(&bench, names[i], 34, 334);
		memset(data, 0, 300);
		bench_write(&bench, "headless.zip", data, len);
		expect(&bench, "headless.zip", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
	}
}

/* Any zip does under a name that means one; a name of PyTorch's promises more. */
static void test_zip_plain__names(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_status status;
	} rows[] = {
		{ "rl_model_2000_steps.zip", CKPT_VALID },
		{ "checkpoint-2.pt", CKPT_INCOMPLETE },
	};
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	_cleanup_bench_ struct bench bench;
	const struct ckpt_report *report;
	struct ckpt_ctx ctx = { 0 };

	(void)state;
	if (!make(&bench))
		skip();
	for (int i = 0; i < 2; i++)
		assert_true(bench_copy(&bench, "stored.zip", rows[i].name));
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, bench.path, 0, NULL, NULL), 0);
	for (int i = 0; i < 2; i++) {
		report = ckpt_set_verify(&ctx, ckpt_catalog_find(&cat, NULL, rows[i].name),
					 CKPT_LEVEL_FULL);
		bench_expect(report, rows[i].status, i ? CKPT_PROBLEM_HEADER : CKPT_PROBLEM_NONE);
		assert_ptr_equal(report->inner, &ckpt_format_opaque);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zip_plain__whole),
		cmocka_unit_test(test_zip_plain__cuts),
		cmocka_unit_test(test_zip_plain__flips),
		cmocka_unit_test(test_zip_plain__names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
