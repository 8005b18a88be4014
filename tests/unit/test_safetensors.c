/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * safetensors: real files, every rule of the layout broken on its own beside its undamaged twin,
 * and a header of 100 MB in bounded memory.
 */
#include "core/format/array/safetensors.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

#define F "f.safetensors"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Writes a file of the header @json (padded to @pad blanks more) and @data bytes of buffer. */
static void put(struct bench *bench, const char *json, size_t pad, size_t data)
{
	size_t n = strlen(json) + pad, len = 8 + n + data;
	_cleanup_free_ unsigned char *file = malloc(len);

	assert_non_null(file);
	for (int i = 0; i < 8; i++)
		file[i] = (unsigned char)((uint64_t)n >> (8 * i));
	memcpy(file + 8, json, strlen(json));
	memset(file + 8 + strlen(json), ' ', pad);
	memset(file + 8 + n, 0x5a, data);
	bench_write(bench, F, file, len);
}

static void judge(struct bench *bench, struct ckpt_report *ret)
{
	bench_judge(bench, F, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_non_null(ret->format);
	assert_string_equal(ret->format->name, "safetensors");
}

#define T(name, dtype, shape, b, e)                                                                \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #b "," #e \
	"]}"

static void test_safetensors__valid(void **state)
{
	static const struct {
		const char *json;
		size_t pad, data, tensors;
	} rows[] = {
		{ "{}", 6, 0, 0 },
		{ "{" T("a", "F32", "2,3", 0, 24) "}", 0, 24, 1 },
		{ "{" T("a", "F32", "2,3", 0, 24) "}", 7, 24, 1 },
		{ "{" T("a", "F32", "", 0, 4) "," T("b", "BF16", "1,2", 4, 8) "}", 0, 8, 2 },
		/* not in offset order */
		{ "{" T("a", "U8", "4", 8, 12) "," T("b", "U8", "4", 0, 4) "," T("c", "U8", "4", 4,
										 8) "}",
		  0, 12, 3 },
		/* empty tensors, at a border and between merged ones */
		{ "{" T("a", "U8", "4", 0, 4) "," T("b", "U8", "4", 4, 8) "," T(
			  "z", "F64", "0,9", 4, 4) "," T("y", "I8", "0", 8, 8) "}",
		  0, 8, 4 },
		{ "{" T("a", "F4", "2,3", 0, 3) "," T("b", "F6_E2M3", "4", 3,
						      6) "," T("c", "C64", "1", 6, 14) "}",
		  0, 14, 3 },
		{ "{\"__metadata__\":null," T("a", "BOOL", "1", 0, 1) "}", 0, 1, 1 },
		{ "{\"__metadata__\":{\"format\":\"pt\"}," T("a", "BOOL", "1", 0, 1) "}", 0, 1, 1 },
		{ "{\"a\":{\"data_offsets\":[0,2],\"later\":{\"x\":[1]},\"shape\":[1],\"dtype\":"
		  "\"I16\"}}",
		  0, 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		put(&bench, rows[i].json, rows[i].pad, rows[i].data);
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_string_equal(report.verdict.note, "safetensors stores no checksum");
		assert_int_equal(report.tensors, rows[i].tensors);
		assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
	}
}

static void test_safetensors__corrupt(void **state)
{
	static const struct {
		const char *json;
		size_t data;
		const char *member, *detail;
	} rows[] = {
		{ "{" T("a", "F32", "2", 0, 8) "," T("b", "F32", "1", 4, 8) "}", 8, "b", "inside" },
		{ "{" T("a", "F32", "2", 0, 8) "," T("b", "F32", "2", 0, 8) "}", 8, "b", "inside" },
		{ "{" T("a", "F32", "1", 0, 4) "," T("b", "F32", "1", 8, 12) "}", 12, "b", "but" },
		{ "{" T("a", "F32", "1", 4, 8) "}", 8, "a", "but" },
		{ "{" T("a", "F32", "2", 0, 4) "}", 4, "a", "fit" },
		{ "{" T("a", "F32", "1", 4, 0) "}", 4, "a", "ascending" },
		{ "{" T("a", "F32", "-1", 0, 4) "}", 4, "a", "whole" },
		{ "{" T("a", "F32", "1.0", 0, 4) "}", 4, "a", "whole" },
		{ "{" T("a", "F4", "3", 0, 1) "}", 1, "a", "fit" },
		{ "{" T("a", "F99", "1", 0, 4) "}", 4, "a", "dtype" },
		{ "{" T("a", "U8", "4294967296,4294967296", 0, 0) "}", 0, "a", "overflow" },
		{ "{" T("a", "F64", "2305843009213693952", 0, 0) "}", 0, "a", "overflow" },
		{ "{" T("a", "U8", "1", 0, 1) "," T("a", "U8", "1", 1, 2) "}", 2, "a", "twice" },
		{ "{" T("a", "U8", "1", 0, 1) "," T("\\u0061", "U8", "1", 1, 2) "}", 2, "a",
		  "twice" },
		{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "a", "lacks" },
		{ "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}"
		  "}",
		  1, "a", "twice" },
		{ "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "a",
		  "pair" },
		{ "{\"a\":7}", 0, "a", "object" },
		{ "{\"__metadata__\":{\"x\":1}}", 0, "__metadata__", "string" },
		{ "{" T("a", "U8", "1", 0, 1), 1, "a", "does not end" },
		{ "{" T("a", "U8", "1", 0, 1) "}}", 1, "a", "not JSON" },
		{ "{" T("a", "U8", "1", 0, 1) "," T("z", "U8", "0", 9, 9) "}", 1, "", "beyond" },
		{ "{\"a\xff\":1}", 0, "", "not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		put(&bench, rows[i].json, 0, rows[i].data);
		judge(&bench, &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
		if (!strstr(report.verdict.problem.detail, rows[i].detail))
			fail_msg("%s: %s", rows[i].json, report.verdict.problem.detail);
	}
}

/* Types of later versions, whose name gives the width that the data have. */
static void test_safetensors__later_types(void **state)
{
	static const struct {
		const char *dtype;
		unsigned elements, bytes, unscanned;
	} rows[] = {
		{ "F8_E3M4", 5, 5, 1 },	     { "F8_E5M3", 5, 5, 1 }, { "F8_E4M3B11FNUZ", 3, 3, 1 },
		{ "F4_E2M1", 4, 2, 1 },	     { "BF8", 3, 3, 1 },     { "NF4", 4, 2, 1 },
		{ "TF32", 2, 8, 1 },	     { "F128", 1, 16, 1 },   { "C128", 1, 16, 1 },
		{ "C32", 1, 4, 1 },	     { "I4", 4, 2, 0 },	     { "U24", 3, 9, 0 },
		{ "U1", 9, 2, 0 },	     { "UINT4", 3, 2, 0 },   { "I128", 2, 32, 0 },
		{ "F4_E2M1FN_X2", 4, 2, 1 }, { "U24", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char json[256];

		bench_init(&bench);
		snprintf(json, sizeof(json),
			 "{" T("a", "U8", "1", 0, 1) ",\"w.b\":{\"dtype\":\"%s\",\"shape\":[%u],"
						     "\"data_offsets\":[1,%u]}}",
			 rows[i].dtype, rows[i].elements, 1 + rows[i].bytes);
		put(&bench, json, 0, 1 + rows[i].bytes);
		bench_judge(&bench, F, CKPT_KIND_FILE, CKPT_LEVEL_FINITE, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		if (!strstr(report.verdict.note, "w.b") ||
		    !strstr(report.verdict.note, rows[i].dtype))
			fail_msg("%s: %s", rows[i].dtype, report.verdict.note);
		assert_int_equal(report.finite.unscanned, rows[i].unscanned);
		put(&bench, json, 0, rows[i].bytes);
		judge(&bench, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
}

/* Judges a file of one tensor of @elements numbers of the type @dtype in @bytes bytes. */
static void judge_type(const char *dtype, unsigned elements, unsigned bytes,
		       struct ckpt_report *ret)
{
	_cleanup_bench_ struct bench bench;
	char json[256];

	bench_init(&bench);
	snprintf(json, sizeof(json),
		 "{\"a\":{\"dtype\":\"%s\",\"shape\":[%u],\"data_offsets\":[0,%u]}}", dtype,
		 elements, bytes);
	put(&bench, json, 0, bytes);
	judge(&bench, ret);
}

static void expect_no_type(const char *dtype, unsigned elements, unsigned bytes)
{
	struct ckpt_report report;

	judge_type(dtype, elements, bytes, &report);
	if (report.verdict.status != CKPT_CORRUPT ||
	    !strstr(report.verdict.problem.detail, "dtype"))
		fail_msg("%s: %s %s", dtype, ckpt_status_name(report.verdict.status),
			 report.verdict.problem.detail);
}

/* No name of a type, neither of this version nor of a later one. */
static void test_safetensors__no_types(void **state)
{
	static const char *const rows[] = {
		"",
		"F",
		"32",
		"F3r",
		"f32",
		"F032",
		"F32_",
		"F32 ",
		"F32_e",
		"F-32",
		"F32.",
		"FLOAT",
		"F8__",
		"F32\\u0000",
		"F8_E4M2",
		"F8_E8M1",
		"F16_E4M3",
		"F8_E04M3",
		"F99999999999",
		"U24",
		"F33",
		"FFFFFFFFFFFFFFFF32",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_no_type(rows[i], 8, 32);
}

/* The same of so few numbers that a narrower type has as many bytes, its last one filled up. */
static void test_safetensors__flipped_types_of_few(void **state)
{
	static const struct {
		const char *dtype;
		unsigned elements, bytes;
	} rows[] = {
		{ "I60", 1, 8 },  { "F60", 1, 8 },  { "C60", 1, 8 },  { "U60", 1, 8 },
		{ "F30", 1, 4 },  { "F30", 2, 8 },  { "I30", 3, 12 }, { "U30", 1, 4 },
		{ "BF14", 1, 2 }, { "BF12", 1, 2 }, { "F14", 3, 6 },  { "I12", 1, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_no_type(rows[i].dtype, rows[i].elements, rows[i].bytes);
}

/* Where a flipped bit makes another layout of as many bits, the file cannot show it. */
static bool is_layout_too(const char *dtype)
{
	return !strncmp(dtype, "F8_E5M3", 7) || !strncmp(dtype, "F6_E3M3", 7);
}

/* One flipped bit in the name of any type. */
static void test_safetensors__flipped_types(void **state)
{
	static const struct {
		const char *dtype;
		unsigned bits;
	} rows[] = {
		{ "BOOL", 8 },	      { "F4", 4 },	    { "F6_E2M3", 6 }, { "F6_E3M2", 6 },
		{ "U8", 8 },	      { "I8", 8 },	    { "F8_E5M2", 8 }, { "F8_E4M3", 8 },
		{ "F8_E8M0", 8 },     { "I16", 16 },	    { "U16", 16 },    { "F16", 16 },
		{ "BF16", 16 },	      { "I32", 32 },	    { "U32", 32 },    { "F32", 32 },
		{ "C64", 64 },	      { "F64", 64 },	    { "I64", 64 },    { "U64", 64 },
		{ "F8_E4M3FNUZ", 8 }, { "F8_E5M2FNUZ", 8 },
	};
	struct ckpt_report report;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t bit = 0; bit < 8 * strlen(rows[i].dtype); bit++) {
			char dtype[16];

			snprintf(dtype, sizeof(dtype), "%s", rows[i].dtype);
			dtype[bit / 8] = (char)(dtype[bit / 8] ^ 1 << bit % 8);
			judge_type(dtype, 4, rows[i].bits / 2, &report);
			if ((report.verdict.status == CKPT_CORRUPT) == is_layout_too(dtype))
				fail_msg("%s, was %s: %s", dtype, rows[i].dtype,
					 ckpt_status_name(report.verdict.status));
		}
	}
}

/* Each length short of the whole is incomplete, each beyond it trails. */
static void test_safetensors__every_size(void **state)
{
	static const char json[] =
		"{" T("w.a", "F32", "2,3", 0, 24) "," T("w.b", "U8", "8", 24, 32) "}";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t whole = 8 + strlen(json) + 32;

	(void)state;
	bench_init(&bench);
	put(&bench, json, 0, 32);
	judge(&bench, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_resize(&bench, F, whole + 1);
	judge(&bench, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_TRAILING);
	assert_int_equal(report.verdict.problem.offset, whole);
	for (size_t size = whole; size-- > 10;) {
		bench_resize(&bench, F, size);
		judge(&bench, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
		assert_int_equal(report.verdict.problem.offset, size);
	}
}

/* Space that was reserved and not yet written: the header stops in zeros. */
static void test_safetensors__zeros_in_header(void **state)
{
	static const char json[] = "{" T("w.a", "F32", "2,3", 0, 24) "}";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	put(&bench, json, 0, 24);
	bench_resize(&bench, F, 8 + 20);
	bench_resize(&bench, F, 8 + strlen(json) + 24);
	judge(&bench, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	assert_int_equal(report.verdict.problem.offset, 28);
}

static void test_safetensors__progress(void **state)
{
	static const struct {
		const char *metadata;
		bool has_epoch, has_step;
		double epoch;
		int64_t step;
		enum ckpt_meaning meaning;
	} rows[] = {
		{ "\"ss_epoch\":\"3\",\"ss_steps\":\"1200\"", true, true, 3, 1200,
		  CKPT_EPOCH_COMPLETED },
		{ "\"epoch\":\"2.5\",\"step\":\"77\"", true, true, 2.5, 77, CKPT_EPOCH_UNKNOWN },
		{ "\"global_step\":\"5\"", false, true, 0, 5, CKPT_EPOCH_UNKNOWN },
		{ "\"epoch\":\"x\",\"step\":\"1e9\"", false, false, 0, 0, CKPT_EPOCH_UNKNOWN },
		{ "\"step\":\"99999999999999999999\"", false, false, 0, 0, CKPT_EPOCH_UNKNOWN },
		{ "\"step\":\"\",\"epoch\":\".\"", false, false, 0, 0, CKPT_EPOCH_UNKNOWN },
		{ "\"step\":\"1.5\"", false, false, 0, 0, CKPT_EPOCH_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char json[512];

		bench_init(&bench);
		snprintf(json, sizeof(json), "{\"__metadata__\":{%s}," T("a", "U8", "1", 0, 1) "}",
			 rows[i].metadata);
		put(&bench, json, 0, 1);
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.position.has_epoch, rows[i].has_epoch);
		assert_int_equal(report.position.has_step, rows[i].has_step);
		assert_true(report.position.epoch == rows[i].epoch);
		assert_int_equal(report.position.step, rows[i].step);
		assert_int_equal(report.position.meaning, rows[i].meaning);
		if (rows[i].has_step)
			assert_int_equal(report.position.step_source, CKPT_FROM_CONTENT);
	}
}

static void test_safetensors__not_ours(void **state)
{
	static const char *const rows[] = { "\x08\0\0\0\0\0\0\0[1,2,3]", "{\"a\":1}        ",
					    "\xff\xff\xff\xff\0\0\0\0{\"a\":1}" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_write(&bench, F, rows[i], 15);
		bench_judge(&bench, F, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_true(!report.format || strcmp(report.format->name, "safetensors") != 0);
	}
}

static void test_safetensors__samples(void **state)
{
	static const struct {
		const char *path;
		uint64_t tensors, size;
	} rows[] = {
		{ CKPT_SAMPLES "/safetensors/burn/mnist.safetensors", 0, 1509296 },
		{ CKPT_SAMPLES "/safetensors/burn/multi_layer.safetensors", 0, 17624 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		if (!bench_copy(&bench, rows[i].path, F)) {
			print_message("no samples at " CKPT_SAMPLES "\n");
			skip();
		}
		judge(&bench, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_true(report.tensors > 4 && report.n_keys > 0);
		assert_int_equal(report.verdict.size_bytes, rows[i].size);
		bench_resize(&bench, F, rows[i].size - 1);
		judge(&bench, &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	}
}

/* A header of nearly 100 MB whose tensors lie in the order that @place gives them. */
static void put_large(struct bench *bench, size_t n, size_t (*place)(size_t i, size_t n))
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[128];
	uint64_t header = 0;

	snprintf(path, sizeof(path), "%s/" F, bench->path);
	f = fopen(path, "w");
	assert_non_null(f);
	fwrite(&header, 8, 1, f);
	for (size_t i = 0; i < n; i++) {
		size_t b = place(i, n);

		fprintf(f, "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
			i ? ',' : '{', i, b, b + 1);
	}
	fputc('}', f);
	header = (uint64_t)ftell(f) - 8;
	assert_true(header < CKPT_SAFETENSORS_HEADER_MAX);
	for (size_t i = 0; i < n; i++)
		fputc('x', f);
	rewind(f);
	fwrite(&header, 8, 1, f);
}

static size_t in_order(size_t i, size_t n)
{
	(void)n;
	return i;
}

/* No two neighbours of the header touch in the buffer. */
static size_t scattered(size_t i, size_t n)
{
	return (i * 1000003) % n;
}

/* Every second byte: nothing ever touches. */
static size_t apart(size_t i, size_t n)
{
	(void)n;
	return 2 * i;
}

/* Judges in a child of its own and returns its peak memory in KiB; exits 0 there when it is
 * @status. */
static long peak_of(struct bench *bench, enum ckpt_status status)
{
	struct rusage usage;
	pid_t pid = fork();
	int how;

	if (!pid) {
		struct ckpt_report report;

		bench_judge(bench, F, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		if (report.verdict.status != status)
			print_error("%s: %s\n", ckpt_status_name(report.verdict.status),
				    report.verdict.problem.detail);
		_exit(report.verdict.status == status ? 0 : 1);
	}
	assert_true(pid > 0 && wait4(pid, &how, 0, &usage) == pid);
	assert_int_equal(how, 0);
	return usage.ru_maxrss;
}

static void test_safetensors__large_headers(void **state)
{
	static const struct {
		size_t n;
		size_t (*place)(size_t i, size_t n);
		enum ckpt_status status;
	} rows[] = {
		{ 1200000, in_order, CKPT_VALID },   { 700001, scattered, CKPT_VALID },
		{ 1200001, scattered, CKPT_VALID },  { 700001, apart, CKPT_CORRUPT },
		{ 1000000, apart, CKPT_UNREADABLE }, /* beyond the cap: no verdict on it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		long peak, before;

		bench_init(&bench);
		bench_text(&bench, F, "small");
		before = peak_of(&bench, CKPT_VALID);
		put_large(&bench, rows[i].n, rows[i].place);
		peak = peak_of(&bench, rows[i].status);
		if (!SANITIZED && peak - before >= 32 * 1024)
			fail_msg("%ld KiB above %ld KiB", peak - before, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safetensors__valid),
		cmocka_unit_test(test_safetensors__corrupt),
		cmocka_unit_test(test_safetensors__later_types),
		cmocka_unit_test(test_safetensors__no_types),
		cmocka_unit_test(test_safetensors__flipped_types),
		cmocka_unit_test(test_safetensors__flipped_types_of_few),
		cmocka_unit_test(test_safetensors__every_size),
		cmocka_unit_test(test_safetensors__zeros_in_header),
		cmocka_unit_test(test_safetensors__progress),
		cmocka_unit_test(test_safetensors__not_ours),
		cmocka_unit_test(test_safetensors__samples),
		cmocka_unit_test(test_safetensors__large_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
