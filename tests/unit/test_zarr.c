/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zarr arrays in OCDBT and in folders: steps by a generator that shares nothing with the parsers
 * (tests/data/make_orbax.py), whole and damaged; and metadata of all sorts.
 */
#include "core/format/array/zarr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define D(c) "d/" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define P0 "ocdbt.process_0/" D("1")
#define P1 "ocdbt.process_1/" D("2")
#define I CKPT_INCOMPLETE
#define C CKPT_CORRUPT

static void put(struct bench *bench)
{
	if (!real_dirs_put(bench, "make_orbax.py"))
		fail_msg("tests/data/make_orbax.py failed");
}

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	real_dirs_judge(bench, name, "orbax", ret);
}

static void test_zarr__whole(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_evidence evidence;
	} rows[] = {
#define S CKPT_EVIDENCE_STRUCTURE
#define K CKPT_EVIDENCE_CHECKSUM
		{ "tree-raw", S },     { "tree-zstd", S },  { "tree-zstd-sum", K },
		{ "tree-gzip", K },    { "tree-zlib", K },  { "tree-blosc", S },
		{ "tree-odd", S },     { "tree-plain", S }, { "tree3-crc", K },
		{ "tree3-shard", S },  { "dir-raw", S },    { "dir-zstd", S },
		{ "dir-zstd-sum", K }, { "dir-gzip", K },   { "dir-zlib", K },
		{ "dir-blosc", S },    { "dir-odd", S },    { "dir3-crc", K },
		{ "dir3-shard", S },   { "dir-sparse", S }, { "apart", CKPT_EVIDENCE_OPAQUE },
		{ "below", S },
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
	judge(&bench, "dir-sparse", &report);
	assert_non_null(strstr(report.verdict.note, "1 chunks are absent"));
}

static void test_zarr__damage(void **state)
{
	static const struct {
		const char *name;
		struct real_dirs_damage damage;
	} rows[] = {
#define CUT REAL_DIRS_CUT
#define FLIP REAL_DIRS_FLIP
#define GONE REAL_DIRS_REMOVE
#define GROW REAL_DIRS_GROW
		/* nodes: the leaf of "a" and the root behind it, the leaf of the rest */
		{ "tree-zstd", { D("f"), FLIP, 30, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-zstd", { D("f"), FLIP, 1, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-zstd", { D("f"), CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		{ "tree-zstd", { D("e"), FLIP, 9, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-zstd", { D("e"), GONE, 0, I, CKPT_PROBLEM_MEMBER_MISSING } },
		{ "tree-zstd", { D("f"), GONE, 0, I, CKPT_PROBLEM_MEMBER_MISSING } },
		{ "tree-plain", { D("e"), FLIP, 60, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-plain", { D("e"), REAL_DIRS_EMPTY, 0, I, CKPT_PROBLEM_EMPTY } },
		/* values */
		{ "tree-raw", { P1, CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		{ "tree-raw", { P0, GONE, 0, I, CKPT_PROBLEM_MEMBER_MISSING } },
		{ "tree-zstd-sum", { P0, FLIP, 2, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-zstd-sum", { P1, FLIP, 40, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-gzip", { P0, FLIP, 30, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-gzip", { P0, FLIP, 6, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree-zlib", { P1, FLIP, 2, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree3-crc", { D("1"), FLIP, 100, C, CKPT_PROBLEM_CHECKSUM } },
		{ "tree3-shard", { D("1"), FLIP, 20, C, CKPT_PROBLEM_CHECKSUM } },
		{ "below", { P0, CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		/* folders */
		{ "dir-raw", { "a/0.0", CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-raw", { "a/1.1", GROW, 1, C, CKPT_PROBLEM_TRAILING } },
		{ "dir-raw", { "b.c/0", REAL_DIRS_EMPTY, 0, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-raw", { "a/.zarray", CUT, 4, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-zstd", { "a/0.0", CUT, 1, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-zstd", { "a/0.0", GROW, 1, C, CKPT_PROBLEM_TRAILING } },
		{ "dir-zstd-sum", { "a/1.0", FLIP, 3, C, CKPT_PROBLEM_CHECKSUM } },
		{ "dir-gzip", { "a/1.0", CUT, 9, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-zlib", { "a/1.0", CUT, 9, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir-blosc", { "a/1.0", CUT, 9, I, CKPT_PROBLEM_TRUNCATED } },
		{ "dir3-crc", { "w/c/1", FLIP, 2, C, CKPT_PROBLEM_CHECKSUM } },
		{ "dir3-crc", { "w/c/0", FLIP, 50, C, CKPT_PROBLEM_CHECKSUM } },
		{ "dir3-shard", { "w/c/0", FLIP, 3, C, CKPT_PROBLEM_CHECKSUM } },
		{ "dir3-shard", { "w/c/0", CUT, 9, C, CKPT_PROBLEM_CHECKSUM } },
		{ "dir3-shard", { "w/c/0", REAL_DIRS_EMPTY, 0, I, CKPT_PROBLEM_TRUNCATED } },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		real_dirs_damage(&bench, rows[i].name, "orbax", &rows[i].damage);
}

/* Lost parts are named: an array, or the process' chunks of it. */
static void test_zarr__lost(void **state)
{
	static const struct {
		const char *name, *remove, *said;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "tree-lost", NULL, "big", CKPT_PROBLEM_SHARD_MISSING },
		{ "tree3-lost", NULL, "w", CKPT_PROBLEM_SHARD_MISSING },
		{ "dir-raw", "dir-raw/a/0.1", "a", CKPT_PROBLEM_MEMBER_MISSING },
		{ "dir-gzip", "dir-gzip/b.c/.zarray", "b.c", CKPT_PROBLEM_MEMBER_MISSING },
		{ "dir3-crc", "dir3-crc/w/c/0", "w", CKPT_PROBLEM_MEMBER_MISSING },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct ckpt_problem *problem = &report.verdict.problem;

		if (rows[i].remove)
			bench_remove(&bench, rows[i].remove);
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_INCOMPLETE, rows[i].code);
		assert_true(strcmp(problem->member, rows[i].said) == 0 ||
			    strcmp(problem->file, rows[i].said) == 0);
	}
}

/* What is cheap is found without reading values. */
static void test_zarr__structure(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	put(&bench);
	bench_flip(&bench, "tree-gzip/" P0, 40);
	bench_judge(&bench, "tree-gzip", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_flip(&bench, "tree-gzip/" D("e"), 40);
	bench_judge(&bench, "tree-gzip", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM);
	/* left by a writer that died, and no part of the tree */
	bench_text(&bench, "tree-raw/d/77.__lock", "");
	bench_text(&bench, "tree-raw/d/77", "some log");
	judge(&bench, "tree-raw", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

static void test_zarr__metadata(void **state)
{
#define V2 "{\"zarr_format\":2,\"shape\":[10],\"chunks\":[3],\"dtype\":"
#define V3                                                                                         \
	"{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[10,4],\"data_type\":\"int16\","     \
	"\"chunk_grid\":{\"configuration\":{\"chunk_shape\":[3,2]}},\"codecs\":"
	static const struct {
		const char *text;
		bool known;
		enum ckpt_zarr_codec codec;
		uint64_t bytes, chunks;
	} rows[] = {
		{ V2 "\"<f4\",\"compressor\":null}", true, CKPT_ZARR_RAW, 12, 4 },
		{ V2 "\"bfloat16\"}", true, CKPT_ZARR_RAW, 6, 4 },
		{ V2 "\"|V7\",\"compressor\":{\"id\":\"zstd\"}}", true, CKPT_ZARR_ZSTD, 21, 4 },
		{ V2 "\"<M8[ns]\",\"compressor\":{\"id\":\"gzip\"}}", true, CKPT_ZARR_GZIP, 0, 4 },
		{ V2 "[[\"x\",\"<f4\"]]}", true, CKPT_ZARR_OTHER, 0, 4 },
		{ V2 "\"<f4\",\"compressor\":{\"id\":\"zfpy\"}}", true, CKPT_ZARR_OTHER, 12, 4 },
		{ V2 "\"<f4\",\"filters\":[{\"id\":\"delta\"}]}", true, CKPT_ZARR_OTHER, 0, 4 },
		{ V2 "\"<f4\"", false, 0, 0, 0 },
		{ "{\"zarr_format\":2,\"shape\":[10],\"chunks\":[0]}", false, 0, 0, 0 },
		{ "{\"zarr_format\":2,\"shape\":[10],\"chunks\":[1,1]}", false, 0, 0, 0 },
		{ "{\"zarr_format\":2,\"shape\":[-1],\"chunks\":[1]}", false, 0, 0, 0 },
		{ "{\"zarr_format\":2,\"shape\":[9e15,9e15],\"chunks\":[1,1]}", true,
		  CKPT_ZARR_OTHER, 0, UINT64_MAX },
		{ "{\"zarr_format\":3,\"node_type\":\"group\"}", false, 0, 0, 0 },
		{ V3 "[{\"name\":\"bytes\"}]}", true, CKPT_ZARR_RAW, 12, 8 },
		{ V3 "[{\"name\":\"transpose\"},{\"name\":\"bytes\"},{\"name\":\"blosc\"}]}", true,
		  CKPT_ZARR_BLOSC, 12, 8 },
		{ V3 "[{\"name\":\"bytes\"},{\"name\":\"crc32c\"},{\"name\":\"zstd\"}]}", true,
		  CKPT_ZARR_OTHER, 12, 8 },
		{ V3 "[{\"name\":\"vlen-utf8\"}]}", true, CKPT_ZARR_OTHER, 12, 8 },
		{ V3 "[{\"name\":\"sharding_indexed\"}]}", true, CKPT_ZARR_OTHER, 0, 8 },
		{ "[]", false, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ckpt_zarr zarr;
		bool known = ckpt_zarr_read(rows[i].text, strlen(rows[i].text), &zarr);

		if (known != rows[i].known)
			fail_msg("%s", rows[i].text);
		if (!known)
			continue;
		if (zarr.chain.codec != rows[i].codec || zarr.chain.bytes != rows[i].bytes ||
		    zarr.chunks != rows[i].chunks)
			fail_msg("%s: %d %llu %llu", rows[i].text, (int)zarr.chain.codec,
				 (unsigned long long)zarr.chain.bytes,
				 (unsigned long long)zarr.chunks);
	}
}

static void test_zarr__keys(void **state)
{
	static const struct ckpt_zarr v2 = { .separator = '.' },
				      v3 = { .separator = '/', .prefixed = true };
	static const struct {
		const struct ckpt_zarr *zarr;
		const char *key;
		bool is;
	} rows[] = {
		{ &v2, "0.10", true },	{ &v2, "7", true },	{ &v2, ".zattrs", false },
		{ &v2, "0..1", false }, { &v2, "0.", false },	{ &v2, "0/1", false },
		{ &v2, "", false },	{ &v3, "c/0/1", true }, { &v3, "c", true },
		{ &v3, "c/", false },	{ &v3, "c0", false },	{ &v3, "0/1", false },
		{ &v3, "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (ckpt_zarr_is_chunk(rows[i].zarr, rows[i].key, strlen(rows[i].key)) !=
		    rows[i].is)
			fail_msg("'%s'", rows[i].key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zarr__whole),    cmocka_unit_test(test_zarr__damage),
		cmocka_unit_test(test_zarr__lost),     cmocka_unit_test(test_zarr__structure),
		cmocka_unit_test(test_zarr__metadata), cmocka_unit_test(test_zarr__keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
