/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Legacy PyTorch files: real ones, cut at many places, flipped where it can be seen, with junk
 * behind them.
 */
#include "core/format/torch/torch_legacy.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/torch_real.h"

static void test_torch_legacy__whole(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_contents contents;
		bool progress;
		uint64_t tensors;
	} rows[] = {
		{ "legacy.pt", CKPT_CONTENTS_FULL, true, 16 },
		{ "legacy4.pt", CKPT_CONTENTS_FULL, true, 16 },
		{ "weights_legacy.pt", CKPT_CONTENTS_WEIGHTS, false, 4 },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		torch_real_expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.format->name, "torch-legacy");
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_string_equal(report.verdict.note, "no checksums stored in this file");
		assert_int_equal(report.contents, rows[i].contents);
		assert_int_equal(report.tensors, rows[i].tensors);
		assert_int_equal(report.position.has_step, rows[i].progress);
		if (!rows[i].progress)
			continue;
		assert_int_equal(report.position.step, 1200);
		assert_true(report.position.epoch == 3 && report.position.loss == 0.5);
		assert_int_equal(report.n_keys, 6);
	}
}

static void test_torch_legacy__truncated(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL;
	size_t len;

	data = bench_read(bench, "legacy.pt", &len);
	for (size_t cut = 0; cut <= 40; cut++) {
		bench_write(bench, "cut.pt", data, cut == 0 ? 8 : len * cut / 41);
		torch_real_expect(bench, "cut.pt", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
				  &report);
		assert_string_equal(report.format->name, "torch-legacy");
	}
	bench_write(bench, "cut.pt", data, len - 1);
	torch_real_expect(bench, "cut.pt", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	assert_true(report.verdict.problem.member[0] != '\0');
}

/* The first two pickles are fixed bytes; the count before each storage must be the object's. */
static void test_torch_legacy__flips(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	data = bench_read(bench, "legacy.pt", &len);
	for (size_t at = 0; at < 20; at++) {
		if (at == 1 || at == 16)
			continue; /* the protocols' numbers mean nothing */
		bench_write(bench, "bad.pt", data, len);
		bench_flip(bench, "bad.pt", at);
		bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "torch-legacy");
		assert_int_equal(report.verdict.status, CKPT_CORRUPT);
		assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_HEADER);
	}
	torch_real_expect(bench, "legacy.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
}

/* The last storage is 64 x 32 or less, so its count stands 8 bytes before its floats. */
static size_t last_count(const unsigned char *data, size_t len)
{
	for (size_t n = 1; 4 * n + 8 <= len; n++) {
		uint64_t count;

		memcpy(&count, data + len - 4 * n - 8, sizeof(count));
		if (count == n)
			return len - 4 * n - 8;
	}
	fail();
	return 0;
}

static void test_torch_legacy__counts(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, at;

	data = bench_read(bench, "legacy.pt", &len);
	at = last_count(data, len);
	for (size_t i = 0; i < 8; i++) {
		bench_write(bench, "bad.pt", data, len);
		bench_flip(bench, "bad.pt", at + i);
		torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
		assert_int_equal(report.verdict.problem.offset, at);
	}
	memset(data + at, 0, len - at);
	bench_write(bench, "bad.pt", data, len);
	bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.verdict.status, CKPT_CORRUPT);
}

static void test_torch_legacy__zero_tail(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	data = bench_read(bench, "legacy.pt", &len);
	memset(data + len / 2, 0, len - len / 2);
	bench_write(bench, "bad.pt", data, len);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_ZERO_TAIL, &report);
}

static void test_torch_legacy__trailing(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	data = bench_read(bench, "legacy.pt", &len);
	bench_write(bench, "more.pt", data, len);
	bench_resize(bench, "more.pt", len + 512);
	torch_real_expect(bench, "more.pt", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	assert_int_equal(report.verdict.problem.offset, len);
	bench_resize(bench, "more.pt", len + 65537);
	torch_real_expect(bench, "more.pt", CKPT_CORRUPT, CKPT_PROBLEM_TRAILING, &report);
}

/* A list of storages that is not the object's. */
static void test_torch_legacy__list(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;
	char *key, *list;

	data = bench_read(bench, "legacy.pt", &len);
	list = memmem(data, len, "\x80\2]q\0(X", 7);
	assert_non_null(list);
	key = list + 11; /* X and its length */
	key[0] = key[0] == '9' ? '8' : key[0] + 1;
	bench_write(bench, "bad.pt", data, len);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
	key[0] = 'x';
	bench_write(bench, "bad.pt", data, len);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
}

static void test_torch_legacy__samples(void **state)
{
	_cleanup_closedir_ DIR *d = opendir(CKPT_SAMPLES "/pytorch/burn_reader/test_data");
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct dirent *e;
	char path[1024];
	int n = 0;

	(void)state;
	bench_init(&bench);
	for (; d && (e = readdir(d));) {
		if (!strstr(e->d_name, "legacy"))
			continue;
		snprintf(path, sizeof(path), "%s/pytorch/burn_reader/test_data/%s", CKPT_SAMPLES,
			 e->d_name);
		torch_real_expect(&bench, path, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.format->name, "torch-legacy");
		assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
		n++;
	}
	if (n == 0) {
		print_message("skipped: no samples in %s\n", CKPT_SAMPLES);
		skip();
	}
	assert_int_equal(n, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_legacy__whole),
		cmocka_unit_test(test_torch_legacy__truncated),
		cmocka_unit_test(test_torch_legacy__flips),
		cmocka_unit_test(test_torch_legacy__counts),
		cmocka_unit_test(test_torch_legacy__zero_tail),
		cmocka_unit_test(test_torch_legacy__trailing),
		cmocka_unit_test(test_torch_legacy__list),
		cmocka_unit_test(test_torch_legacy__samples),
	};

	return cmocka_run_group_tests(tests, torch_real_setup, torch_real_teardown);
}
