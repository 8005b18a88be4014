/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HDF5 files whose parts lie elsewhere: filters that are not undone, shared messages, external
 * files, virtual data sets; all by h5py and libhdf5 (tests/data/make_hdf5_apart.py).
 */
#include "core/format/hdf5/hdf5.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

static void put(struct bench *bench)
{
	if (bench_generate(bench, "make_hdf5_apart.py 2>/dev/null"))
		return;
	print_message("skipped: no h5py with szip for /usr/bin/python3\n");
	skip();
}

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_ptr_equal(ret->format, &ckpt_format_hdf5);
}

static void test_hdf5_apart__whole(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_evidence evidence;
	} rows[] = {
		{ "filters-earliest.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "filters-latest.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "external-earliest.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "external-latest.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "shared-list-3.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "shared-list-60.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "shared-tree-3.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "shared-tree-60.h5", CKPT_EVIDENCE_STRUCTURE },
		{ "virtual.h5", CKPT_EVIDENCE_OPAQUE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(&bench, rows[i].name, &report);
		if (report.verdict.evidence != rows[i].evidence)
			print_error("%s: %s\n", rows[i].name, report.verdict.note);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, rows[i].evidence);
	}
}

/* Every structure of shared messages has a checksum, so any flipped bit is found. */
static void test_hdf5_apart__shared(void **state)
{
	static const char *const names[] = { "shared-list-60.h5", "shared-tree-60.h5" };
	static const char *const marks[] = { "SMTB", "SMLI", "BTHD" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	int found = 0;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < 6; i++) {
		size_t len;
		_cleanup_free_ unsigned char *data = bench_read(&bench, names[i / 3], &len);
		unsigned char *at = memmem(data, len, marks[i % 3], 4);

		if (!at)
			continue;
		found++;
		bench_flip(&bench, names[i / 3], (size_t)(at - data) + 16);
		judge(&bench, names[i / 3], &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		bench_flip(&bench, names[i / 3], (size_t)(at - data) + 16);
	}
	assert_true(found >= 4);
}

static void test_hdf5_apart__external(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	bench_resize(&bench, "y-latest.raw", 60015);
	judge(&bench, "external-latest.h5", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	assert_string_equal(report.verdict.problem.file, "y-latest.raw");
	bench_resize(&bench, "u-earliest.raw", 79);
	judge(&bench, "external-earliest.h5", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	/* the library looks for it where the job runs */
	bench_remove(&bench, "u-earliest.raw");
	judge(&bench, "external-earliest.h5", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	assert_non_null(strstr(report.verdict.note, "u-earliest.raw"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hdf5_apart__whole),
		cmocka_unit_test(test_hdf5_apart__shared),
		cmocka_unit_test(test_hdf5_apart__external),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
