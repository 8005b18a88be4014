/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HDF5 files that libhdf5 wrote, of all its structures and both generations of its format, whole
 * and damaged; and third-party samples.
 */
#include "core/format/hdf5/hdf5.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/format/hdf5/lookup3.h"
#include "tests/unit/support/judge.h"

static int setup(void **state)
{
	static struct bench bench;

	*state = bench_generate(&bench, "make_hdf5.py") ? &bench : NULL;
	if (!*state)
		print_message("h5py is not here\n");
	return 0;
}

static int teardown(void **state)
{
	if (*state)
		bench_done(*state);
	return 0;
}

static struct bench *files(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	if (strcmp(ret->format->name, "hdf5") != 0 || ret->verdict.status != status)
		print_error("%s:\n", name);
	assert_string_equal(ret->format->name, "hdf5");
	bench_expect(ret, status, code);
}

static void test_hdf5__whole(void **state)
{
	static const struct {
		const char *name;
		bool summed;
		uint64_t sets;
	} rows[] = {
		{ "plain_earliest.h5", false, 8 },
		{ "plain_latest.h5", false, 8 },
		{ "groups_earliest.h5", false, 29 },
		{ "groups_latest.h5", false, 29 },
		{ "wide_earliest.h5", true, 0 },
		{ "wide_latest.h5", true, 0 },
		{ "attributes_earliest.h5", false, 0 },
		{ "attributes_latest.h5", true, 0 },
		{ "chunks_earliest.h5", false, 30 },
		{ "chunks_latest.h5", false, 30 },
		{ "pages_earliest.h5", false, 1 },
		{ "pages_latest.h5", true, 1 },
		{ "summed_earliest.h5", false, 3 },
		{ "summed_latest.h5", true, 3 },
		{ "user_earliest.h5", false, 1 },
		{ "user_latest.h5", false, 1 },
		{ "implicit_earliest.h5", false, 1 },
		{ "implicit_latest.h5", false, 1 },
		{ "swmr.h5", false, 1 },
	};
	struct bench *bench = files(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence,
				 rows[i].summed ? CKPT_EVIDENCE_CHECKSUM : CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(!report.verdict.note[0], rows[i].summed);
		assert_int_equal(report.tensors, rows[i].sets);
	}
}

static void test_hdf5__position(void **state)
{
	static const struct {
		const char *name;
		int64_t step;
		bool has_epoch;
		enum ckpt_contents contents;
		const char *framework;
	} rows[] = {
		{ "keras2.h5", 1234, false, CKPT_CONTENTS_FULL, "Keras 2.9.0" },
		{ "keras3.weights.h5", 77, false, CKPT_CONTENTS_FULL, "" },
		{ "variable.h5", -1, false, CKPT_CONTENTS_UNKNOWN, "Keras 2.15.0" },
		{ "attributes_earliest.h5", -1, false, CKPT_CONTENTS_UNKNOWN, "" },
		{ "summed_latest.h5", -1, false, CKPT_CONTENTS_WEIGHTS, "" },
	};
	struct bench *bench = files(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.position.has_step, rows[i].step >= 0);
		assert_true(rows[i].step < 0 || report.position.step == rows[i].step);
		assert_int_equal(report.contents, rows[i].contents);
		assert_string_equal(report.framework, rows[i].framework);
	}
	assert_true(ckpt_report_has_key(&report, "layers"));
	assert_int_equal(report.n_keys, 2);
	assert_true(bench_python(bench, "import h5py\n"
					"f=h5py.File('few.h5','w'); f.attrs['epoch']=12\n"
					"f.attrs['global_step']=3456\nf['x/step']=5\n"));
	expect(bench, "few.h5", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_true(report.position.epoch == 12);
	assert_int_equal(report.position.step, 3456);
}

static void test_hdf5__writer_killed(void **state)
{
	struct bench *bench = files(state);
	struct ckpt_report report;

	expect(bench, "killed.h5", CKPT_INCOMPLETE, CKPT_PROBLEM_WRITER_ACTIVE, &report);
}

/* Of several files that are one together, one alone proves nothing, nor is it cut short. */
static void test_hdf5__spread_over_files(void **state)
{
	static const char *const names[] = { "split_earliest-m.h5", "split_latest-m.h5",
					     "family_earliest_0.h5", "family_latest_0.h5" };
	struct bench *bench = files(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		expect(bench, names[i], CKPT_UNREADABLE, CKPT_PROBLEM_HEADER, &report);
		assert_non_null(strstr(report.verdict.problem.detail, "several files"));
	}
}

static void test_hdf5__cuts(void **state)
{
	static const char *const names[] = { "plain_earliest.h5", "summed_latest.h5",
					     "user_latest.h5" };
	struct bench *bench = files(state);
	struct ckpt_report report;
	size_t len;

	for (int i = 0; i < 3; i++) {
		_cleanup_free_ unsigned char *data = bench_read(bench, names[i], &len);

		for (size_t cut = i == 2 ? 2056 : 8; cut < len; cut += cut < 4096 ? 1 : 211) {
			bench_write(bench, "cut.h5", data, cut);
			expect(bench, "cut.h5", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
		}
		bench_write(bench, "cut.h5", data, len);
		expect(bench, "cut.h5", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		bench_resize(bench, "cut.h5", len + 1);
		expect(bench, "cut.h5", CKPT_VALID, CKPT_PROBLEM_TRAILING, &report);
	}
}

/* True where @data at @at lies in a run of zeros: space that was allocated and is not used. */
static bool unused(const unsigned char *data, size_t len, size_t at)
{
	static const unsigned char zeros[16];

	return at >= 8 && at + 8 <= len && memcmp(data + at - 8, zeros, 16) == 0;
}

/* Flips a bit every @step bytes that are used; returns how many were not found. */
static size_t missed_flips(struct bench *bench, const char *name, size_t step)
{
	struct ckpt_report report;
	size_t len, missed = 0;
	_cleanup_free_ unsigned char *data = bench_read(bench, name, &len);

	bench_write(bench, "flip.h5", data, len);
	for (size_t at = 0; at < len; at += step) {
		if (unused(data, len, at))
			continue;
		bench_flip(bench, "flip.h5", at);
		bench_judge(bench, "flip.h5", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		missed += report.verdict.status == CKPT_VALID &&
			  report.verdict.evidence == CKPT_EVIDENCE_CHECKSUM;
		bench_flip(bench, "flip.h5", at);
	}
	expect(bench, "flip.h5", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	return missed;
}

/* Where all has checksums no flip is missed, but in bytes that nothing uses. */
static void test_hdf5__flips(void **state)
{
	struct bench *bench = files(state);

	assert_in_range(missed_flips(bench, "summed_latest.h5", 13), 0, 10);
	assert_in_range(missed_flips(bench, "attributes_latest.h5", 17), 0, 10);
	assert_in_range(missed_flips(bench, "pages_latest.h5", 1511), 0, 10);
}

/* Zeroes the place of @what's @nth mark. */
static void test_hdf5__structures_lost(void **state)
{
	static const struct {
		const char *name, *mark;
	} rows[] = {
		{ "groups_earliest.h5", "TREE" }, { "groups_earliest.h5", "SNOD" },
		{ "groups_earliest.h5", "HEAP" }, { "groups_latest.h5", "OHDR" },
		{ "wide_latest.h5", "FRHP" },	  { "wide_latest.h5", "FHIB" },
		{ "wide_latest.h5", "FHDB" },	  { "wide_latest.h5", "BTHD" },
		{ "wide_latest.h5", "BTIN" },	  { "wide_latest.h5", "BTLF" },
		{ "chunks_latest.h5", "FAHD" },	  { "chunks_latest.h5", "FADB" },
		{ "chunks_latest.h5", "EAHD" },	  { "chunks_latest.h5", "EAIB" },
		{ "pages_latest.h5", "EASB" },	  { "pages_latest.h5", "EADB" },
		{ "variable.h5", "GCOL" },	  { "groups_latest.h5", "FSHD" },
		{ "groups_latest.h5", "FSSE" },
	};
	struct bench *bench = files(state);
	struct ckpt_report report;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ unsigned char *data = bench_read(bench, rows[i].name, &len);
		unsigned char *mark = memmem(data, len, rows[i].mark, 4);

		assert_non_null(mark);
		mark[1] ^= 1;
		bench_write(bench, "lost.h5", data, len);
		bench_judge(bench, "lost.h5", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		if (report.verdict.status != CKPT_CORRUPT)
			print_error("%s: %s\n", rows[i].name, rows[i].mark);
		assert_int_equal(report.verdict.status, CKPT_CORRUPT);
		memset(mark, 0, 10);
		bench_write(bench, "lost.h5", data, len);
		bench_judge(bench, "lost.h5", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	}
}

/* A chunk's bytes, far from any structure, of both generations; the data set is named. */
static void test_hdf5__chunk_flipped(void **state)
{
	struct bench *bench = files(state);
	struct ckpt_report report;
	const double mark[] = { 4711.25, 4712.25 };
	unsigned char *at;
	size_t len;

	assert_true(bench_python(
		bench, "import h5py, numpy as np\n"
		       "for lib in ('earliest', 'latest'):\n"
		       "  with h5py.File('c_%s.h5' % lib, 'w', libver=lib) as f:\n"
		       "    f.create_dataset('a/b/w', data=np.arange(4000, 5000) + 0.25,\n"
		       "                     chunks=(100,), fletcher32=True)\n"));
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "c_latest.h5" : "c_earliest.h5";
		_cleanup_free_ unsigned char *data = bench_read(bench, name, &len);

		expect(bench, name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		at = memmem(data, len, mark, sizeof(mark));
		assert_non_null(at);
		bench_flip(bench, name, (size_t)(at - data));
		expect(bench, name, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
		assert_string_equal(report.verdict.problem.member, "a/b/w");
		bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

/* Overwrites the @n bytes at the first @mark plus @off. */
static void patch(struct bench *bench, const char *name, const char *mark, size_t off,
		  const void *bytes, size_t n)
{
	size_t len;
	_cleanup_free_ unsigned char *data = bench_read(bench, name, &len);
	unsigned char *at = memmem(data, len, mark, 4);

	assert_non_null(at);
	memcpy(at + off, bytes, n);
	bench_write(bench, "patched.h5", data, len);
}

/* Trees that point at themselves, or far away, end the check at once. */
static void test_hdf5__loops(void **state)
{
	struct bench *bench = files(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL;
	unsigned char self[8] = { 0 };
	size_t len;
	uint64_t at;

	data = bench_read(bench, "groups_earliest.h5", &len);
	at = (uint64_t)((unsigned char *)memmem(data, len, "TREE", 4) - data);
	memcpy(self, &at, 8);
	patch(bench, "groups_earliest.h5", "TREE", 24 + 8, self, 8);
	bench_judge(bench, "patched.h5", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	patch(bench, "groups_earliest.h5", "TREE", 24 + 8, "\xff\xff\xff\xff\xff\xff\xff\x7f", 8);
	bench_judge(bench, "patched.h5", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	/* two children that are one: the budget runs out, however deep */
	memcpy(self, data + at + 24 + 8, 8);
	patch(bench, "groups_earliest.h5", "TREE", 24 + 24, self, 8);
	bench_judge(bench, "patched.h5", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	assert_string_equal(report.format->name, "hdf5");
}

static void test_hdf5__superblock(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		unsigned char value;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "plain_earliest.h5", 8, 4, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "plain_earliest.h5", 13, 3, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "plain_earliest.h5", 14, 16, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "plain_earliest.h5", 20, 3, CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "plain_earliest.h5", 44, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "plain_earliest.h5", 70, 9, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "plain_latest.h5", 11, 1, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ "plain_latest.h5", 30, 9, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	};
	struct bench *bench = files(state);
	struct ckpt_report report;
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_free_ unsigned char *data = bench_read(bench, rows[i].name, &len);

		data[rows[i].at] = rows[i].value;
		bench_write(bench, "super.h5", data, len);
		expect(bench, "super.h5", rows[i].status, rows[i].code, &report);
	}
}

static void judge_folder(const char *folder)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_closedir_ DIR *dir = opendir(folder);
	struct ckpt_report report;
	struct dirent *entry;
	char path[512];

	if (!dir) {
		print_message("no samples: %s\n", folder);
		skip();
		return;
	}
	bench_init(&bench);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		assert_true(bench_copy(&bench, path, entry->d_name));
		expect(&bench, entry->d_name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	}
}

static void test_hdf5__samples_h5py(void **state)
{
	(void)state;
	judge_folder(CKPT_SAMPLES "/hdf5/h5py");
}

static void test_hdf5__samples_jhdf(void **state)
{
	(void)state;
	judge_folder(CKPT_SAMPLES "/hdf5/jhdf");
}

static uint32_t lookup3(const char *text, size_t piece)
{
	struct ckpt_lookup3 s;
	size_t len = strlen(text), n;

	ckpt_lookup3_init(&s, len);
	for (size_t at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		ckpt_lookup3_add(&s, text + at, n);
	}
	return ckpt_lookup3_end(&s);
}

/* The author's own test values. */
static void test_hdf5__lookup3(void **state)
{
	(void)state;
	assert_int_equal(lookup3("", 1), 0xdeadbeef);
	for (size_t piece = 1; piece < 40; piece++)
		assert_int_equal(lookup3("Four score and seven years ago", piece), 0x17770551);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hdf5__whole),
		cmocka_unit_test(test_hdf5__position),
		cmocka_unit_test(test_hdf5__writer_killed),
		cmocka_unit_test(test_hdf5__spread_over_files),
		cmocka_unit_test(test_hdf5__cuts),
		cmocka_unit_test(test_hdf5__flips),
		cmocka_unit_test(test_hdf5__structures_lost),
		cmocka_unit_test(test_hdf5__chunk_flipped),
		cmocka_unit_test(test_hdf5__loops),
		cmocka_unit_test(test_hdf5__superblock),
		cmocka_unit_test(test_hdf5__samples_h5py),
		cmocka_unit_test(test_hdf5__samples_jhdf),
		cmocka_unit_test(test_hdf5__lookup3),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
