/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TensorFlow bundles: real ones, each damaged at every byte, and built ones for what those do not
 * have (several shards, snappy, strings, variants, progress).
 */
#include "core/format/tensorflow/tf_bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/crc.h"
#include "tests/unit/support/tf_build.h"

#define P "ckpt-7"
#define INDEX P ".index"
#define DATA P ".data-00000-of-00001"

static const char *const samples[] = {
	"/tensorflow/rust/regression-model/variables/variables",
	"/tensorflow/rust/regression_savedmodel/variables/variables",
	"/tensorflow/serving/saved_model_counter/00000123/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_three/00000123/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_two_2_versions/00000123/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_two_2_versions/00000124/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_two_cpu/00000123/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_two_mkl/00000123/variables/variables",
	"/tensorflow/serving/saved_model_half_plus_two_tf2_cpu/00000123/variables/variables",
};
#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

static bool put_sample(struct bench *bench, size_t i)
{
	char path[512];

	snprintf(path, sizeof(path), CKPT_SAMPLES "%s.index", samples[i]);
	if (!bench_copy(bench, path, INDEX)) {
		print_message("no sample %s\n", path);
		return false;
	}
	snprintf(path, sizeof(path), CKPT_SAMPLES "%s.data-00000-of-00001", samples[i]);
	assert_true(bench_copy(bench, path, DATA));
	return true;
}

static enum ckpt_status judge_at(struct bench *bench, enum ckpt_level level,
				 struct ckpt_report *ret)
{
	return bench_judge(bench, P, CKPT_KIND_PREFIX, level, ret);
}

static enum ckpt_status judge(struct bench *bench, struct ckpt_report *ret)
{
	return judge_at(bench, CKPT_LEVEL_FULL, ret);
}

static void test_tf_bundle__samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		size_t index, data;

		bench_init(&bench);
		if (!put_sample(&bench, i))
			skip();
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_string_equal(report.format->name, "tf-bundle");
		free(bench_read(&bench, INDEX, &index));
		free(bench_read(&bench, DATA, &data));
		assert_int_equal(report.verdict.size_bytes, index + data);
		assert_true(report.tensors > 0 && report.n_keys > 0);
		judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	}
}

/* Every shorter index lacks its footer; every shorter data file misses bytes that the index needs.
 */
static void test_tf_bundle__cut_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		size_t index, data;

		bench_init(&bench);
		if (!put_sample(&bench, i))
			skip();
		free(bench_read(&bench, INDEX, &index));
		free(bench_read(&bench, DATA, &data));
		while (data-- > 0) {
			bench_resize(&bench, DATA, data);
			judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
			bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
			assert_string_equal(report.verdict.problem.file, DATA);
		}
		assert_true(put_sample(&bench, i));
		while (index-- > 1) {
			bench_resize(&bench, INDEX, index);
			judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
			assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
			assert_string_equal(report.verdict.problem.file, INDEX);
		}
	}
}

/* A flip in the index is found by the structure, one in the data by the content. */
static void test_tf_bundle__flip_of_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SAMPLES; i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		size_t index, data;

		bench_init(&bench);
		if (!put_sample(&bench, i))
			skip();
		free(bench_read(&bench, INDEX, &index));
		free(bench_read(&bench, DATA, &data));
		while (index-- > 0) {
			bench_flip(&bench, INDEX, index);
			if (judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report) == CKPT_VALID)
				fail_msg("sample %zu: byte %zu of the index", i, index);
			bench_flip(&bench, INDEX, index);
		}
		while (data-- > 0) {
			bench_flip(&bench, DATA, data);
			judge(&bench, &report);
			bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
			assert_true(report.verdict.problem.member[0]);
			bench_flip(&bench, DATA, data);
		}
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

static void test_tf_bundle__members(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	judge(&bench, &report);
	assert_int_equal(report.verdict.status, CKPT_MISSING);
	if (!put_sample(&bench, 1))
		skip();
	free(bench_read(&bench, DATA, &len));

	bench_resize(&bench, DATA, len + 8);
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_TRAILING);
	assert_int_equal(report.verdict.problem.offset, len);

	bench_resize(&bench, DATA, len / 2);
	bench_resize(&bench, DATA, len); /* reserved, never written */
	judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);

	bench_remove(&bench, DATA);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);

	assert_true(put_sample(&bench, 1));
	free(bench_read(&bench, INDEX, &len));
	bench_resize(&bench, INDEX, len / 2);
	bench_resize(&bench, INDEX, len);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	bench_remove(&bench, INDEX);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
}

#define VALUE "/.ATTRIBUTES/VARIABLE_VALUE"

static const int64_t nine = 9, step = 4500;
static const float weights[4] = { 1, 2, 3, 4 };

static struct tf_tensor scalar(const char *name, const int64_t *value)
{
	return (struct tf_tensor) { .name = name, .dtype = 9, .data = value, .len = 8 };
}

static struct tf_tensor vector(const char *name, int shard)
{
	return (struct tf_tensor) { .name = name,
				    .dtype = 1,
				    .rank = 1,
				    .dim = 4,
				    .shard = shard,
				    .data = weights,
				    .len = sizeof(weights) };
}

static void test_tf_bundle__built(void **state)
{
	const struct tf_tensor tensors[] = {
		vector("model/a" VALUE, 0),
		vector("model/b" VALUE, 1),
		vector("model/c" VALUE, 1),
		vector("model/d" VALUE, 0),
		scalar("optimizer/iter" VALUE, &step),
		scalar("save_counter" VALUE, &nine),
	};

	(void)state;
	for (int snappy = 0; snappy <= 1; snappy++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		tf_bundle_write(&bench, P, tensors, 6, 2, snappy);
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.tensors, 6);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_true(report.position.has_step && report.position.step == 4500);
		assert_true(report.position.has_epoch && report.position.epoch == 9);
		assert_int_equal(report.position.meaning, CKPT_EPOCH_SAVE_COUNTER);
		assert_true(ckpt_report_has_key(&report, "optimizer"));

		bench_flip(&bench, P ".data-00001-of-00002", 17);
		judge(&bench, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		assert_string_equal(report.verdict.problem.member, "model/c" VALUE);
		assert_string_equal(report.verdict.problem.file, P ".data-00001-of-00002");
		assert_int_equal(report.verdict.problem.offset, 16);
		bench_remove(&bench, P ".data-00001-of-00002");
		judge(&bench, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	}
}

/* A damaged number is no position, and a negative one neither. */
static void test_tf_bundle__position_needs_its_crc(void **state)
{
	static const int64_t negative = -1;
	const struct tf_tensor tensors[] = { scalar("epoch", &negative),
					     scalar("global_step", &step) };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	tf_bundle_write(&bench, P, tensors, 2, 1, 0);
	judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_true(report.position.has_step && !report.position.has_epoch);
	bench_flip(&bench, DATA, 8);
	judge_at(&bench, CKPT_LEVEL_STRUCTURE, &report);
	assert_false(report.position.has_step);
}

static uint32_t crc_u32(uint32_t crc, uint32_t v)
{
	return ckpt_crc(CKPT_CRC32C, crc, &v, 4);
}

/* Strings "ab" and "cde" as the writer lays them down. */
static struct tf_tensor strings(struct tf_bytes *b, uint32_t wrong)
{
	uint32_t crc = crc_u32(crc_u32(0, 2), 3), masked;

	masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u + wrong;
	tf_put_varint(b, 2);
	tf_put_varint(b, 3);
	tf_put_u32(b, masked);
	tf_put(b, "abcde", 5);
	crc = ckpt_crc(CKPT_CRC32C, crc_u32(crc, masked), "abcde", 5);
	return (struct tf_tensor) { .name = "s",
				    .dtype = 7,
				    .rank = 1,
				    .dim = 2,
				    .data = b->data,
				    .len = b->n,
				    .crc = crc };
}

/* Two variants of three and of no bytes. */
static struct tf_tensor variants(struct tf_bytes *b)
{
	static const uint64_t lengths[] = { 3, 0 };
	uint32_t crc = 0, masked;

	for (int i = 0; i < 2; i++) {
		crc = ckpt_crc(CKPT_CRC32C, crc, &lengths[i], 8);
		crc = ckpt_crc(CKPT_CRC32C, crc, "xyz", lengths[i]);
		masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
		tf_put_varint(b, lengths[i]);
		tf_put(b, "xyz", lengths[i]);
		tf_put_u32(b, masked);
		crc = crc_u32(crc, masked);
	}
	return (struct tf_tensor) { .name = "v",
				    .dtype = 21,
				    .rank = 1,
				    .dim = 2,
				    .data = b->data,
				    .len = b->n,
				    .crc = crc };
}

static void test_tf_bundle__strings_and_variants(void **state)
{
	struct tf_bytes *b = calloc(2, sizeof(*b));
	_cleanup_bench_ struct bench bench;
	struct tf_tensor tensors[2];
	struct ckpt_report report;

	(void)state;
	assert_non_null(b);
	tensors[0] = strings(&b[0], 0);
	tensors[1] = variants(&b[1]);
	bench_init(&bench);
	tf_bundle_write(&bench, P, tensors, 2, 1, 0);
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	for (size_t i = 0; i < b[0].n + b[1].n; i++) {
		bench_flip(&bench, DATA, i);
		judge(&bench, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
		assert_string_equal(report.verdict.problem.member, i < b[0].n ? "s" : "v");
		bench_flip(&bench, DATA, i);
	}
	free(b);
}

/* The checksum of the lengths counts although the tensor's own covers it. */
static void test_tf_bundle__checksum_of_lengths(void **state)
{
	struct tf_bytes *b = calloc(1, sizeof(*b));
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct tf_tensor tensor;

	(void)state;
	assert_non_null(b);
	tensor = strings(b, 1);
	bench_init(&bench);
	tf_bundle_write(&bench, P, &tensor, 1, 1, 0);
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
	free(b);
}

/* Entries that lie: each is refused although all CRCs hold. */
static void test_tf_bundle__lying_entries(void **state)
{
	struct tf_tensor rows[] = { vector("a", 0), vector("a", 0), vector("a", 0) };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	rows[0].dim = 5;
	rows[1].dim = UINT64_C(1) << 62;
	rows[2].dtype = 2;
	bench_init(&bench);
	for (size_t i = 0; i < 3; i++) {
		tf_bundle_write(&bench, P, &rows[i], 1, 1, 0);
		judge(&bench, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
		assert_string_equal(report.verdict.problem.member, "a");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tf_bundle__samples),
		cmocka_unit_test(test_tf_bundle__cut_at_every_byte),
		cmocka_unit_test(test_tf_bundle__flip_of_every_byte),
		cmocka_unit_test(test_tf_bundle__members),
		cmocka_unit_test(test_tf_bundle__built),
		cmocka_unit_test(test_tf_bundle__position_needs_its_crc),
		cmocka_unit_test(test_tf_bundle__strings_and_variants),
		cmocka_unit_test(test_tf_bundle__checksum_of_lengths),
		cmocka_unit_test(test_tf_bundle__lying_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
