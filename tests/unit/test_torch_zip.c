/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PyTorch archives: real files, whole, interrupted and damaged in every way that disks and writers
 * have, each beside its undamaged twin.
 */
#include "core/format/torch/torch_zip.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/torch_real.h"

#define STEP 1
#define EPOCH 2
#define LOSS 4

static void test_torch_zip__whole(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_contents contents;
		int has;
		int64_t step;
		double epoch;
		uint64_t tensors;
		const char *framework;
	} rows[] = {
		{ "state.pt", CKPT_CONTENTS_FULL, STEP | EPOCH | LOSS, 1200, 3, 16, "" },
		{ "protocol4.pt", CKPT_CONTENTS_FULL, STEP | EPOCH | LOSS, 1200, 3, 16, "" },
		{ "weights.pt", CKPT_CONTENTS_WEIGHTS, 0, 0, 0, 4, "" },
		{ "memo.pt", CKPT_CONTENTS_WEIGHTS, STEP | EPOCH, 41, 1.5, 4, "" },
		{ "lightning.pt", CKPT_CONTENTS_FULL, STEP | EPOCH, 640, 2, 16,
		  "PyTorch Lightning 2.1.0" },
		{ "stripped.pt", CKPT_CONTENTS_WEIGHTS, 0, 0, 0, 4, "" },
		{ "views.pt", CKPT_CONTENTS_WEIGHTS, 0, 0, 0, 2, "" },
		{ "big.pt", CKPT_CONTENTS_WEIGHTS, 0, 0, 0, 3, "" },
		{ "many.pt", CKPT_CONTENTS_WEIGHTS, 0, 0, 0, 3000, "" },
		{ "pairs.pt", CKPT_CONTENTS_FULL, STEP, 7, 0, 4, "" },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_position *pos = &report.position;

		torch_real_expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.format->name, "torch-zip");
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_string_equal(report.verdict.note, "");
		assert_int_equal(report.contents, rows[i].contents);
		assert_int_equal(report.tensors, rows[i].tensors);
		assert_string_equal(report.framework, rows[i].framework);
		assert_int_equal(pos->has_step, !!(rows[i].has & STEP));
		assert_int_equal(pos->has_epoch, !!(rows[i].has & EPOCH));
		assert_int_equal(pos->has_loss, !!(rows[i].has & LOSS));
		assert_true(!pos->has_step || pos->step == rows[i].step);
		assert_true(!pos->has_epoch || pos->epoch == rows[i].epoch);
		assert_int_equal(pos->meaning, CKPT_EPOCH_UNKNOWN);
	}
}

static void test_torch_zip__keys_are_the_top_level_ones(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	torch_real_expect(bench, "state.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.n_keys, 6);
	assert_string_equal(report.keys[0], "epoch");
	assert_string_equal(report.keys[4], "optimizer_state_dict");
	assert_string_equal(report.keys[5], "config");
	assert_string_equal(report.position.loss_key, "loss");
	assert_true(report.position.loss == 0.5);
	assert_int_equal(report.position.step_source, CKPT_FROM_CONTENT);
	torch_real_expect(bench, "many.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.n_keys, CKPT_REPORT_KEYS);
	assert_true(report.keys_cut);
}

/* Where @what stands in @data. */
static size_t find(const unsigned char *data, size_t len, const char *what, size_t size)
{
	const unsigned char *p = memmem(data, len, what, size);

	assert_non_null(p);
	return (size_t)(p - data);
}

/* Programs: valid to the last deflated byte, and never a training state. */
static void test_torch_zip__script(void **state)
{
	static const struct {
		const char *name;
		uint64_t tensors;
	} rows[] = {
		{ "script.pt", 2 }, { "script_extra.pt", 2 }, { "lite.pt", 2 },
		{ "traced.pt", 2 }, { "frozen.pt", 0 },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		torch_real_expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.framework, "TorchScript");
		assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_string_equal(report.verdict.note, "");
		assert_int_equal(report.tensors, rows[i].tensors);
		assert_false(report.position.has_step || report.position.has_epoch);
	}
}

/* Each byte of the deflated code, of the pickles and of the tensors is proved. */
static void test_torch_zip__script_damaged(void **state)
{
	static const char *const records[] = { "/code/__torch__/torch/nn/modules/linear.py",
					       "/data.pkl", "/data/0" };
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, at;

	data = bench_read(bench, "script.pt", &len);
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		at = find(data, len, records[i], strlen(records[i])) + strlen(records[i]);
		at = (at + 4 + 63) & ~(size_t)63;
		for (size_t k = 0; k < 20; k++) {
			bench_write(bench, "bad.pt", data, len);
			bench_flip(bench, "bad.pt", at + k);
			torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM,
					  &report);
			assert_string_equal(report.verdict.problem.member, records[i] + 1);
		}
	}
}

/* Without the module's pickle, one of its tensors or the constants, the save did not finish. */
static void test_torch_zip__script_interrupted(void **state)
{
	static const char *const without[] = { "data.pkl", "data/1", "constants.pkl" };
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	char name[32];

	for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		snprintf(name, sizeof(name), "script_without_%zu.pt", i);
		torch_real_expect(bench, name, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				  &report);
		assert_string_equal(report.verdict.problem.member, without[i]);
	}
	torch_real_expect(bench, "script_1_1.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.framework, "TorchScript");
}

/*
 * torch.package's archives: what they import is listed at their end (PackageExporter), so that one
 * whose writing failed lacks the list. Their modules may have any name.
 */
static void test_torch_zip__package(void **state)
{
	static const struct {
		const char *name;
		uint64_t tensors;
	} rows[] = {
		{ "package.pt", 2 },
		{ "package_empty.pt", 0 },
		{ "package_code.pt", 0 },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		torch_real_expect(bench, rows[i].name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_string_equal(report.framework, "torch.package");
		assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.tensors, rows[i].tensors);
		bench_judge(bench, rows[i].name, CKPT_KIND_FILE, CKPT_LEVEL_FINITE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
	torch_real_expect(bench, "package_failed.pt", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
			  &report);
}

/* Each byte of what a package holds is proved. */
static void test_torch_zip__package_damaged(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, at;

	data = bench_read(bench, "package.pt", &len);
	at = find(data, len, "held by a package", 17);
	bench_write(bench, "bad.pt", data, len);
	bench_flip(bench, "bad.pt", at);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "text/b.txt");
	bench_write(bench, "bad.pt", data, at);
	torch_real_expect(bench, "bad.pt", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
}

/* An exception inside torch.save() leaves a proper zip. */
static void test_torch_zip__interrupted(void **state)
{
	static const struct {
		const char *name, *member;
	} rows[] = {
		{ "interrupted_pickle.pt", "data.pkl" },
		{ "interrupted_0.pt", "data/0" },
		{ "interrupted_1.pt", "data/1" },
		{ "interrupted_7.pt", "data/2" }, /* written in the order 0, 1, 10, 11 ... */
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		torch_real_expect(bench, rows[i].name, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING,
				  &report);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

static void test_torch_zip__truncated(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL;
	size_t len;

	data = bench_read(bench, "state.pt", &len);
	for (size_t cut = 0; cut <= 40; cut++) {
		size_t at = cut == 0 ? 10 : len * cut / 41;

		bench_write(bench, "cut.pt", data, at);
		bench_judge(bench, "cut.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		assert_string_equal(report.format->name, "torch-zip");
		if (report.verdict.problem.code != CKPT_PROBLEM_ZERO_TAIL)
			bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
	for (size_t less = 1; less < 120; less++) {
		bench_write(bench, "cut.pt", data, len - less);
		bench_judge(bench, "cut.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		assert_int_not_equal(report.verdict.status, CKPT_VALID);
	}
	bench_write(bench, "cut.pt", data, len);
	torch_real_expect(bench, "cut.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
}

/* Flips a bit of each byte of [@from, @to), one at a time: how many were not found. */
static size_t flips_missed(struct bench *bench, const char *name, size_t from, size_t to)
{
	struct ckpt_report report;
	size_t missed = 0;

	for (size_t at = from; at < to; at++) {
		bench_flip(bench, name, at);
		bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		missed += report.verdict.status == CKPT_VALID;
		bench_flip(bench, name, at);
	}
	torch_real_expect(bench, name, CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	return missed;
}

static void test_torch_zip__flips(void **state)
{
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	size_t len, pickle, data0, bytes0, end64;

	data = bench_read(bench, "state.pt", &len);
	pickle = find(data, len, "\x80\2}", 3);
	data0 = find(data, len, "state/data/0", 12);
	bytes0 = (data0 + 12 + 4 + 63) & ~(size_t)63;
	end64 = find(data, len, "PK\6\6", 4);
	/* version needed, time and date of the first local header mean nothing; nor does the
	 * padding */
	assert_int_equal(flips_missed(bench, "state.pt", 0, 4), 0);
	assert_int_equal(flips_missed(bench, "state.pt", 6, 10), 0);
	assert_int_equal(flips_missed(bench, "state.pt", 14, 44), 0);
	assert_int_equal(flips_missed(bench, "state.pt", pickle, data0 - 30), 0);
	assert_int_equal(flips_missed(bench, "state.pt", data0, data0 + 12), 0);
	assert_int_equal(flips_missed(bench, "state.pt", bytes0, bytes0 + 600), 0);
	assert_int_equal(flips_missed(bench, "state.pt", len - 22, len), 0);
	assert_int_equal(flips_missed(bench, "state.pt", end64 + 4, end64 + 12), 0);
	assert_int_equal(flips_missed(bench, "state.pt", end64 + 24, len - 22), 0);
}

/* In the directory: everything but versions, time, date and attributes. */
static void test_torch_zip__directory_flips(void **state)
{
	static const struct {
		size_t from, to;
	} rows[] = { { 0, 4 }, { 8, 12 }, { 16, 36 }, { 42, 46 }, { 46, 54 } };
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	size_t len, cd;

	data = bench_read(bench, "state.pt", &len);
	cd = find(data, len, "PK\1\2", 4);
	for (size_t entry = 0; entry < 2; entry++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			assert_int_equal(
				flips_missed(bench, "state.pt", cd + rows[i].from, cd + rows[i].to),
				0);
		cd += 4 + find(data + cd + 4, len - cd - 4, "PK\1\2", 4);
	}
}

/*
 * The attribute by which MS-DOS marks a directory, on a record: PyTorch's miniz reads nothing of it
 * (mz_zip_reader_is_file_a_directory()) and hands out what memory held before.
 */
static void test_torch_zip__marked_as_directory(void **state)
{
	static const char *const names[] = { "data.pkl", "data/0", "data/11", "version" };
	struct bench *bench = torch_real(state);
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	char full[64];
	size_t len, cd, at;

	data = bench_read(bench, "state.pt", &len);
	cd = find(data, len, "PK\1\2", 4);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(full, sizeof(full), "state/%s", names[i]);
		at = cd + find(data + cd, len - cd, full, strlen(full)) - 46 + 38;
		data[at] ^= 0x10;
		bench_write(bench, "bad.pt", data, len);
		bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY);
		assert_string_equal(report.verdict.problem.member, names[i]);
		data[at] ^= 0x10 | 0x20; /* "archive" is what zip sets there */
		bench_write(bench, "bad.pt", data, len);
		torch_real_expect(bench, "bad.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		data[at] ^= 0x20;
	}
}

static void test_torch_zip__codes(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL;
	size_t len, at;

	data = bench_read(bench, "state.pt", &len);
	at = find(data, len, "global_step", 11);
	bench_write(bench, "bad.pt", data, len);
	bench_flip(bench, "bad.pt", at);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "data.pkl");
	assert_false(report.position.has_epoch);
	at = find(data, len, "state/data/1", 12) + 64;
	bench_write(bench, "bad.pt", data, len);
	bench_flip(bench, "bad.pt", at + 8);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "data/1");
	bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
}

static void test_torch_zip__zero_tail_and_holes(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL, *copy = NULL;
	size_t len;

	data = bench_read(bench, "big.pt", &len);
	copy = malloc(len + 131072);
	assert_non_null(copy);
	memcpy(copy, data, len);
	memset(copy + len - 4096, 0, 4096);
	bench_write(bench, "bad.pt", copy, len);
	torch_real_expect(bench, "bad.pt", CKPT_CORRUPT, CKPT_PROBLEM_ZERO_TAIL, &report);
	for (size_t hole = 0; hole < 8 << 20; hole += 1 << 20) {
		memcpy(copy, data, len);
		memset(copy + hole, 0, 65536);
		bench_write(bench, "bad.pt", copy, len);
		bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "torch-zip");
		assert_int_equal(report.verdict.status, CKPT_CORRUPT);
	}
	memset(copy, 0, len);
	bench_write(bench, "bad.pt", copy, len);
	bench_judge(bench, "bad.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_int_not_equal(report.verdict.status, CKPT_VALID);
	torch_real_expect(bench, "big.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
}

static void test_torch_zip__trailing(void **state)
{
	static const struct {
		size_t more;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ 1, CKPT_VALID, CKPT_PROBLEM_TRAILING },
		{ 512, CKPT_VALID, CKPT_PROBLEM_TRAILING },
		{ 65535, CKPT_VALID, CKPT_PROBLEM_TRAILING },
		{ 65536, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;
	_cleanup_free_ unsigned char *data = NULL, *copy = NULL;
	size_t len;

	data = bench_read(bench, "state.pt", &len);
	copy = malloc(len + 65536);
	assert_non_null(copy);
	memcpy(copy, data, len);
	memset(copy + len, 'x', 65536);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_write(bench, "more.pt", copy, len + rows[i].more);
		torch_real_expect(bench, "more.pt", rows[i].status, rows[i].code, &report);
		if (rows[i].status == CKPT_VALID)
			assert_int_equal(report.verdict.problem.offset, len);
	}
}

/* The name inside is the one at the save; a file may be called anything. */
static void test_torch_zip__renamed(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	assert_true(bench_copy(bench, "state.pt", "other.bin"));
	torch_real_expect(bench, "other.bin", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_string_equal(report.format->name, "torch-zip");
}

/* CRCs that were not computed are 0 everywhere: weaker, not wrong. One of them alone is wrong. */
static void test_torch_zip__no_checksums(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	torch_real_expect(bench, "nocrc.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_string_equal(report.verdict.note, "no checksums stored in this file");
	assert_int_equal(report.position.step, 1200);
	torch_real_expect(bench, "onecrc.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "data/3");
	/* the first entry is empty, and its CRC 0 is right */
	torch_real_expect(bench, "emptyfirst.pt", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
	assert_string_equal(report.verdict.problem.member, "data/3");
}

/* Properly closed archives with members that do not belong together. */
static void test_torch_zip__members(void **state)
{
	static const struct {
		const char *name, *member;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "extra.pt", "", CKPT_VALID, CKPT_PROBLEM_MEMBER_EXTRA },
		{ "short.pt", "data/2", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY },
		{ "long.pt", "data/2", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY },
		{ "twice.pt", "data/2", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY },
		{ "prefix.pt", "other/data/2", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY },
		{ "noversion.pt", "version", CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING },
		{ "version99.pt", "version", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "torn.pt", "data.pkl", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "id.pt", "", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "badid.pt", ".data/serialization_id", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
	};
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		torch_real_expect(bench, rows[i].name, rows[i].status, rows[i].code, &report);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

static void test_torch_zip__deep_pickle(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	torch_real_expect(bench, "deep.pt", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_non_null(strstr(report.verdict.note, "nested"));
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_false(report.position.has_step);
}

/* Memory and time of a structure check do not depend on what the tensors weigh. */
static void test_torch_zip__structure_reads_little(void **state)
{
	struct bench *bench = torch_real(state);
	struct ckpt_report report;

	bench_judge(bench, "big.pt", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_true(report.verdict.bytes_read < 16384);
	bench_judge(bench, "big.pt", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_true(report.verdict.bytes_read > (16 << 20));
}

static int judge_samples(struct bench *bench, const char *dir)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	struct ckpt_report report;
	struct dirent *e;
	char path[1024];
	int n = 0;

	for (; d && (e = readdir(d));) {
		if (!strstr(e->d_name, ".pt") || strstr(e->d_name, "legacy"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		bench_judge(bench, path, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		if (strcmp(e->d_name, "broken.pt") == 0) {
			assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
			continue;
		}
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_string_equal(report.format->name, "torch-zip");
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		n++;
	}
	return n;
}

/* Files of other people and newer PyTorch: every one has an id that must fit. */
static void test_torch_zip__samples(void **state)
{
	_cleanup_bench_ struct bench bench;
	int n;

	(void)state;
	bench_init(&bench);
	n = judge_samples(&bench, CKPT_SAMPLES "/pytorch/burn_reader/test_data");
	if (n == 0) {
		print_message("skipped: no samples in %s\n", CKPT_SAMPLES);
		skip();
	}
	n += judge_samples(&bench, CKPT_SAMPLES "/pytorch/candle");
	assert_true(n >= 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_zip__whole),
		cmocka_unit_test(test_torch_zip__keys_are_the_top_level_ones),
		cmocka_unit_test(test_torch_zip__script),
		cmocka_unit_test(test_torch_zip__script_damaged),
		cmocka_unit_test(test_torch_zip__script_interrupted),
		cmocka_unit_test(test_torch_zip__package),
		cmocka_unit_test(test_torch_zip__package_damaged),
		cmocka_unit_test(test_torch_zip__interrupted),
		cmocka_unit_test(test_torch_zip__truncated),
		cmocka_unit_test(test_torch_zip__flips),
		cmocka_unit_test(test_torch_zip__directory_flips),
		cmocka_unit_test(test_torch_zip__marked_as_directory),
		cmocka_unit_test(test_torch_zip__codes),
		cmocka_unit_test(test_torch_zip__zero_tail_and_holes),
		cmocka_unit_test(test_torch_zip__trailing),
		cmocka_unit_test(test_torch_zip__renamed),
		cmocka_unit_test(test_torch_zip__no_checksums),
		cmocka_unit_test(test_torch_zip__members),
		cmocka_unit_test(test_torch_zip__deep_pickle),
		cmocka_unit_test(test_torch_zip__structure_reads_little),
		cmocka_unit_test(test_torch_zip__samples),
	};

	return cmocka_run_group_tests(tests, torch_real_setup, torch_real_teardown);
}
