/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharded weights: a whole set, and each thing that can be wrong with an index or a shard.
 */
#include "core/format/array/safetensors_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"
#include "tests/unit/support/torch_synthetic.h"

#define INDEX "model.safetensors.index.json"
#define SHARD_1 "model-00001-of-00002.safetensors"
#define SHARD_2 "model-00002-of-00002.safetensors"

/* A shard of one-byte tensors named by the letters of @names. */
static void put_shard(struct bench *bench, const char *file, const char *names)
{
	unsigned char data[2048];
	int n = 8;

	for (int i = 0; names[i]; i++)
		n += snprintf(
			(char *)data + n, sizeof(data) - (size_t)n,
			"%c\"m.%c\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}",
			i ? ',' : '{', names[i], i, i + 1);
	data[n++] = '}';
	for (int i = 0; i < 8; i++)
		data[i] = (unsigned char)((uint64_t)(n - 8) >> (8 * i));
	memset(data + n, 7, strlen(names));
	bench_write(bench, file, data, (size_t)n + strlen(names));
}

static void put_set(struct bench *bench)
{
	put_shard(bench, SHARD_1, "ab");
	put_shard(bench, SHARD_2, "c");
	bench_text(bench, INDEX,
		   "{\n  \"metadata\": {\n    \"total_size\": 3\n  },\n  \"weight_map\": {\n"
		   "    \"m.a\": \"" SHARD_1 "\",\n    \"m.c\": \"" SHARD_2 "\",\n"
		   "    \"m.b\": \"" SHARD_1 "\"\n  }\n}\n");
}

static void judge(struct bench *bench, struct ckpt_report *ret)
{
	bench_judge(bench, INDEX, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "safetensors-index");
}

static void test_safetensors_index__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len[3];

	(void)state;
	bench_init(&bench);
	put_set(&bench);
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_string_equal(report.verdict.note, "safetensors stores no checksum");
	assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
	assert_int_equal(report.tensors, 3);
	assert_true(ckpt_report_has_key(&report, "m"));
	free(bench_read(&bench, INDEX, &len[0]));
	free(bench_read(&bench, SHARD_1, &len[1]));
	free(bench_read(&bench, SHARD_2, &len[2]));
	assert_int_equal(report.verdict.size_bytes, len[0] + len[1] + len[2]);
}

static void test_safetensors_index__shards(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	put_set(&bench);
	free(bench_read(&bench, SHARD_2, &len));

	bench_resize(&bench, SHARD_2, len - 1);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	assert_string_equal(report.verdict.problem.file, SHARD_2);

	bench_remove(&bench, SHARD_2);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, SHARD_2);

	put_shard(&bench, SHARD_2, "d"); /* another save's */
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH);
	assert_string_equal(report.verdict.problem.member, "m.c");

	bench_text(&bench, SHARD_2, "something else altogether, with no format");
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	assert_string_equal(report.verdict.problem.member, SHARD_2);

	put_shard(&bench, SHARD_2, "cd"); /* more than mapped is no fault */
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* What the structure of a shard does not show: checksums of PyTorch's, numbers of safetensors'. */
static void test_safetensors_index__content(void **state)
{
	const struct torch_synthetic how = { .epoch = 3, .step = 7, .floats = 1000 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	put_set(&bench);
	bench_judge(&bench, INDEX, CKPT_KIND_FILE, CKPT_LEVEL_FINITE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.finite.files, 2);

	torch_synthetic_write(bench.fd, SHARD_2, &how);
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE); /* of the other shard */
	bench_flip(&bench, SHARD_2, 2000);
	bench_judge(&bench, INDEX, CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
	assert_string_equal(report.verdict.problem.file, SHARD_2);
}

/* A path that the reader keeps no more than the beginning of. */
static void test_safetensors_index__long_path(void **state)
{
	char folders[6 * 201 + 1], index[sizeof(folders) + 64];
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	memset(folders, 'd', sizeof(folders));
	for (size_t i = 200; i < sizeof(folders); i += 201)
		folders[i] = '/';
	folders[sizeof(folders) - 1] = '\0';
	snprintf(index, sizeof(index), "{\"weight_map\":{\"m.a\":\"%sa\"}}", folders);
	bench_text(&bench, INDEX, index);
	judge(&bench, &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT);
}

/* Weights in folders below, each with numbers of its own. */
static void test_safetensors_index__subfolders(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	put_shard(&bench, SHARD_1, "a");
	put_shard(&bench, "unet/" SHARD_1, "b");
	put_shard(&bench, "unet/" SHARD_2, "c");
	put_shard(&bench, "x-00001-of-00009/y/model.safetensors", "d");
	put_shard(&bench, "a/b/c/d/e/f/g/h", "e");
	bench_text(&bench, INDEX,
		   "{\"weight_map\":{\"m.a\":\"" SHARD_1 "\",\"m.b\":\"unet/" SHARD_1
		   "\",\"m.c\":\"unet/" SHARD_2
		   "\",\"m.d\":\"x-00001-of-00009/y/model.safetensors\",\"m.e\":\"a/b/c/d/e/f/g/"
		   "h\"}}");
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH); /* 1 of 2 at the top */
	bench_text(&bench, INDEX,
		   "{\"weight_map\":{\"m.b\":\"unet/" SHARD_1 "\",\"m.c\":\"unet/" SHARD_2
		   "\",\"m.d\":\"x-00001-of-00009/y/model.safetensors\",\"m.e\":\"a/b/c/d/e/f/g/"
		   "h\"}}");
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_int_equal(report.tensors, 4);

	free(bench_read(&bench, "unet/" SHARD_2, &len));
	bench_resize(&bench, "unet/" SHARD_2, len - 1);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	assert_string_equal(report.verdict.problem.file, "unet/" SHARD_2);
	put_shard(&bench, "unet/" SHARD_2, "x");
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH);
	assert_string_equal(report.verdict.problem.member, "m.c");
	bench_remove(&bench, "unet/" SHARD_2);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, "unet/" SHARD_2);
}

static void test_safetensors_index__refused(void **state)
{
	static const struct {
		const char *json;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "{\"weight_map\":{\"m.a\":\"../" SHARD_1 "\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"/etc/passwd\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"..\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\".\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"./" SHARD_1 "\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a/../" SHARD_1 "\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a//b\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a/\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a/..\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a/b\\nc\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"a/" INDEX "\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"1/2/3/4/5/6/7/8/9\"}}", CKPT_UNREADABLE,
		  CKPT_PROBLEM_NESTING_LIMIT },
		{ "{\"weight_map\":{\"m.a\":\"a/b\"}}", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "{\"weight_map\":{\"m.a\":\"\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"x\\u0000y\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"" INDEX "\"}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":7}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":7}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"metadata\":{},\"weight_map\":{}}", CKPT_INCOMPLETE, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{},\"weight_map\":{}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"metadata\":{\"weight_map\":{}}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"weight_map\":{\"m.a\":\"" SHARD_1 "\"}}", CKPT_CORRUPT,
		  CKPT_PROBLEM_SHARD_MISMATCH },
		{ "{\"weight_map\":{\"m.a\":\"" SHARD_1 "\",\"m.c\":\"model-00002-of-00003."
		  "safetensors\"}}",
		  CKPT_CORRUPT, CKPT_PROBLEM_SHARD_MISMATCH },
		{ "{\"weight_map\":{\"m.a\":\"" SHARD_1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "{\"weight_map\":{\"m.a\":\"" SHARD_1 "\"}} x", CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
		  CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		put_set(&bench);
		bench_text(&bench, INDEX, rows[i].json);
		judge(&bench, &report);
		bench_expect(&report, rows[i].status, rows[i].code);
	}
}

/* Killed while the index was written: cut anywhere, or space that was reserved. */
static void test_safetensors_index__torn(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	put_set(&bench);
	free(bench_read(&bench, INDEX, &len));
	for (size_t size = len - 2; size > 0; size--) {
		bench_resize(&bench, INDEX, size);
		judge(&bench, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
	put_set(&bench);
	bench_resize(&bench, INDEX, len / 2);
	bench_resize(&bench, INDEX, len);
	judge(&bench, &report);
	assert_int_equal(report.verdict.status == CKPT_VALID, 0);
}

static void test_safetensors_index__too_many_shards(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	_cleanup_free_ char *json = malloc(64 * 2000);
	int n = 0;

	(void)state;
	assert_non_null(json);
	bench_init(&bench);
	for (int i = 0; i < 2000; i++)
		n += snprintf(json + n, 64, "%s\"t%d\":\"s%d\"", i ? "," : "{\"weight_map\":{", i,
			      i);
	snprintf(json + n, 64, "}}");
	bench_text(&bench, INDEX, json);
	judge(&bench, &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safetensors_index__whole),
		cmocka_unit_test(test_safetensors_index__shards),
		cmocka_unit_test(test_safetensors_index__content),
		cmocka_unit_test(test_safetensors_index__long_path),
		cmocka_unit_test(test_safetensors_index__subfolders),
		cmocka_unit_test(test_safetensors_index__refused),
		cmocka_unit_test(test_safetensors_index__torn),
		cmocka_unit_test(test_safetensors_index__too_many_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
