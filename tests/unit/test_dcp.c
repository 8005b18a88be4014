/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Distributed checkpoints that PyTorch's own writer wrote, whole, damaged and mixed, and metadata
 * that no writer would write.
 */
#include "core/format/torch/dcp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

static bool put(struct bench *bench)
{
	return real_dirs_put(bench, "make_dcp.py");
}

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	real_dirs_judge(bench, name, "dcp", ret);
}

static void test_dcp__whole(void **state)
{
	static const struct {
		const char *name;
		uint64_t tensors;
	} rows[] = { { "many", 4 }, { "step-100", 4 }, { "step-200", 8 } };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(&bench, rows[i].name, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.tensors, rows[i].tensors);
		bench_judge(&bench, rows[i].name, CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE,
			    &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	}
}

/* Names that are other programs' too do not make it theirs. */
static void test_dcp__other_names(void **state)
{
	static const char *const names[] = { "iter_200", "global_step200", "checkpoint-200",
					     "checkpoint_2" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	const char *last = "step-200";

	(void)state;
	if (!put(&bench))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(renameat(bench.fd, last, bench.fd, names[i]), 0);
		last = names[i];
		judge(&bench, last, &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	}
}

static void test_dcp__size_counts_each_file_once(void **state)
{
	static const char *const files[] = { ".metadata", "__0_0.distcp", "__1_0.distcp" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	uint64_t size = 0;

	(void)state;
	if (!put(&bench))
		skip();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];
		size_t len;

		snprintf(path, sizeof(path), "step-200/%s", files[i]);
		free(bench_read(&bench, path, &len));
		size += len;
	}
	judge(&bench, "step-200", &report);
	assert_int_equal(report.verdict.size_bytes, size);
}

static void test_dcp__damage(void **state)
{
	static const struct real_dirs_damage rows[] = {
		{ "__1_0.distcp", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_SHARD_MISSING },
		{ "__0_0.distcp", REAL_DIRS_CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "__1_0.distcp", REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "__1_0.distcp", REAL_DIRS_GROW, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES },
		{ "__1_0.distcp", REAL_DIRS_FLIP, 8000, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ "__0_0.distcp", REAL_DIRS_FLIP, 20000, CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM },
		{ ".metadata", REAL_DIRS_REMOVE, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING },
		{ ".metadata", REAL_DIRS_EMPTY, 0, CKPT_INCOMPLETE, CKPT_PROBLEM_EMPTY },
		{ ".metadata", REAL_DIRS_CUT, 1, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ ".metadata", REAL_DIRS_CUT, 700, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!put(&bench))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		real_dirs_damage(&bench, "step-200", "dcp", &rows[i]);
}

/* A damaged page anywhere in a data file is found, zip headers included. */
static void test_dcp__zeroed_pages(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;
	unsigned char *data, *bad;

	(void)state;
	if (!put(&bench))
		skip();
	data = bench_read(&bench, "step-100/__0_0.distcp", &len);
	bad = malloc(len);
	assert_non_null(bad);
	for (size_t at = 0; at + 512 < len; at += 512) {
		memcpy(bad, data, len);
		memset(bad + at, 0, 512);
		bench_write(&bench, "step-100/__0_0.distcp", bad, len);
		judge(&bench, "step-100", &report);
		if (report.verdict.status == CKPT_VALID)
			print_error("zeros at %zu are not seen\n", at);
		assert_int_not_equal(report.verdict.status, CKPT_VALID);
		assert_string_equal(report.verdict.problem.file, "__0_0.distcp");
	}
	/* without its head an item looks like bytes of a program's own */
	memcpy(bad, data, len);
	memcpy(bad, "junk", 4);
	bench_write(&bench, "step-100/__0_0.distcp", bad, len);
	judge(&bench, "step-100", &report);
	bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
	assert_string_equal(report.verdict.problem.file, "__0_0.distcp");
	bench_write(&bench, "step-100/__0_0.distcp", data, len);
	judge(&bench, "step-100", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	free(data);
	free(bad);
}

/* Directories of one save each, in which one tensor has lost its head and its end. */
static const char lose_heads[] =
	"import os, pickle, shutil, sys\n"
	"sys.dont_write_bytecode = True; sys.path.insert(0, '" CKPT_TEST_DATA "')\n"
	"import make_dcp\n"
	"def lose(path, info):\n"
	"    with open(path + '/' + info.relative_path, 'r+b') as f:\n"
	"        for at in (info.offset, info.offset + info.length - 32):\n"
	"            f.seek(at); f.write(b'\\x55' * 32)\n"
	"for name in ('step-100', 'many'):\n"
	"    with open(name + '/.metadata', 'rb') as f: meta = pickle.load(f)\n"
	"    n = 0\n"
	"    for key, info in meta.storage_data.items():\n"
	"        path = '%s-%d' % (name, n) if key.offset is not None else name + '-bytes'\n"
	"        n += key.offset is not None\n"
	"        shutil.copytree(name, path); lose(path, info)\n"
	"    assert n == 4\n"
	"shutil.copytree('many', 'packed')\n"
	"for key, info in meta.storage_data.items():\n"
	"    info.__dict__['transform_descriptors'] = ['zstd'] if key.fqn == 'model.w' else None\n"
	"    if key.fqn == 'model.w': lose('packed', info)\n"
	"with open('packed/.metadata', 'wb') as f: pickle.dump(meta, f)\n";

/* Tensors are stored alike; bytes are a program's own, and so is what it packed. */
static void test_dcp__heads(void **state)
{
	static const struct {
		const char *name;
		enum ckpt_status status;
	} rows[] = {
		{ "step-100-0", CKPT_CORRUPT },	  { "step-100-1", CKPT_CORRUPT },
		{ "step-100-2", CKPT_CORRUPT },	  { "step-100-3", CKPT_CORRUPT },
		{ "many-0", CKPT_CORRUPT },	  { "many-3", CKPT_CORRUPT },
		{ "step-100-bytes", CKPT_VALID }, { "many-bytes", CKPT_VALID },
		{ "packed", CKPT_VALID },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_python(&bench, lose_heads));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(&bench, rows[i].name, &report);
		if (report.verdict.status != rows[i].status)
			print_error("%s: %s\n", rows[i].name, report.verdict.problem.detail);
		assert_int_equal(report.verdict.status, rows[i].status);
		if (rows[i].status == CKPT_VALID)
			assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
		else
			assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_HEADER);
	}
}

/* Saves of a writer that stores tensors as they are, one of which holds bytes of some format. */
static const char plain_tensors[] =
	"import gzip, io, os, pickle, sys\n"
	"sys.dont_write_bytecode = True; sys.path.insert(0, '" CKPT_TEST_DATA "')\n"
	"import make_dcp, torch\n"
	"packed = io.BytesIO(); torch.save(torch.ones(30), packed)\n"
	"for name, bytes_ in (('zip', packed.getvalue()), ('gzip', gzip.compress(b'abc' * 500))):\n"
	"    tensors = {'w': torch.randn(100, 100), 'b': torch.randn(5000), 'n': "
	"torch.arange(900),\n"
	"               'state': torch.frombuffer(bytearray(bytes_), dtype=torch.uint8)}\n"
	"    make_dcp.save(name, tensors, True)\n"
	"    meta, out = make_dcp.load(name), b''\n"
	"    for key, info in meta.storage_data.items():\n"
	"        data = tensors[key.fqn].numpy().tobytes()\n"
	"        info.offset, info.length = len(out), len(data)\n"
	"        out += data\n"
	"    with open(name + '/' + info.relative_path, 'wb') as f: f.write(out)\n"
	"    with open(name + '/.metadata', 'wb') as f: pickle.dump(meta, f)\n";

static void test_dcp__tensors_as_they_are(void **state)
{
	static const char *const names[] = { "zip", "gzip" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_python(&bench, plain_tensors));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		judge(&bench, names[i], &report);
		if (report.verdict.status != CKPT_VALID)
			print_error("%s: %s\n", names[i], report.verdict.problem.detail);
		assert_int_equal(report.verdict.status, CKPT_VALID);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	}
}

/* A tensor that lies in parts, as ranks leave it, is one. */
static const char in_parts[] =
	"import dataclasses, pickle, sys\n"
	"sys.dont_write_bytecode = True; sys.path.insert(0, '" CKPT_TEST_DATA "')\n"
	"import make_dcp, torch\n"
	"make_dcp.save('parts', {'w': torch.randn(100, 100), 'b': torch.randn(50)}, True)\n"
	"meta = make_dcp.load('parts')\n"
	"key = next(k for k in meta.storage_data if k.fqn == 'w')\n"
	"first = meta.storage_data[key]\n"
	"second = dataclasses.replace(first, offset=first.offset + 1000, length=first.length - "
	"1000)\n"
	"first.length = 1000\n"
	"meta.storage_data[dataclasses.replace(key, offset=torch.Size([50, 0]))] = second\n"
	"with open('parts/.metadata', 'wb') as f: pickle.dump(meta, f)\n";

static void test_dcp__tensors_in_parts(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_python(&bench, in_parts));
	bench_judge(&bench, "parts", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.tensors, 2);
}

/* The job died while it overwrote an older save: old metadata, one new data file. */
static void test_dcp__mixed_saves(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_copy(&bench, "many/__0_0.distcp", "step-200/__1_0.distcp"));
	judge(&bench, "step-200", &report);
	assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
	assert_string_equal(report.verdict.problem.file, "__1_0.distcp");
}

/* Of equal sizes only the times tell, which is a remark: copying a directory changes them too. */
static void test_dcp__younger_data_are_remarked(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	struct timespec later[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	(void)state;
	if (!put(&bench))
		skip();
	assert_int_equal(clock_gettime(CLOCK_REALTIME, &later[1]), 0);
	later[1].tv_sec += 600;
	assert_int_equal(utimensat(bench.fd, "step-200/__1_0.distcp", later, 0), 0);
	judge(&bench, "step-200", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_MIXED_SAVES);
}

/* Killed between the removal of the old metadata and the rename of the new. */
static void test_dcp__renamed_last(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_copy(&bench, "step-100/.metadata", "step-100/.metadata.tmp"));
	bench_remove(&bench, "step-100/.metadata");
	judge(&bench, "step-100", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, ".metadata");
}

/* Without collectives each rank leaves its own metadata. */
static void test_dcp__metadata_of_each_rank(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_copy(&bench, "step-100/.metadata", "ranks/__0.metadata"));
	assert_true(bench_copy(&bench, "step-100/__0_0.distcp", "ranks/__0_0.distcp"));
	judge(&bench, "ranks", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_true(bench_copy(&bench, "step-100/.metadata", "ranks/__2.metadata"));
	judge(&bench, "ranks", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
	assert_string_equal(report.verdict.problem.file, "__1.metadata");
}

/* Lightning's directories are named .ckpt and need their meta.pt, which knows the position. */
static void test_dcp__lightning(void **state)
{
	static const char script[] =
		"import torch\n"
		"torch.save({'epoch': 4, 'global_step': 500, 'pytorch-lightning_version': '2.1',\n"
		"            'state_dict': {}, 'optimizer_states': []}, 'e.ckpt/meta.pt')\n";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!put(&bench))
		skip();
	assert_true(bench_copy(&bench, "step-100/.metadata", "e.ckpt/.metadata"));
	assert_true(bench_copy(&bench, "step-100/__0_0.distcp", "e.ckpt/__0_0.distcp"));
	judge(&bench, "e.ckpt", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.file, "meta.pt");
	assert_true(bench_python(&bench, script));
	judge(&bench, "e.ckpt", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_true(report.position.has_step && report.position.step == 500);
	assert_true(report.position.has_epoch && report.position.epoch == 4);
	assert_string_equal(report.framework, "PyTorch Lightning 2.1");
}

/* A record as a dataclass is pickled: protocol 4, path, offset, length. */
#define RECORD(len, path, off, n)                                                                  \
	"}(\x8c\x0drelative_path\x8c" len path "\x8c\x06offset" off "\x8c\x06length" n "u"

static void test_dcp__hostile_metadata(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t len;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
#define CASE(what, text, status, code) { what, "\x80\x04" text ".", sizeof(text) + 2, status, code }
		CASE("fits", RECORD("\x01", "d", "K\x02", "K\x01"), CKPT_VALID, CKPT_PROBLEM_NONE),
		CASE("too long", RECORD("\x01", "d", "K\x02", "K\x02"), CKPT_INCOMPLETE,
		     CKPT_PROBLEM_TRUNCATED),
		CASE("short", RECORD("\x01", "d", "K\x01", "K\x01"), CKPT_INCOMPLETE,
		     CKPT_PROBLEM_MIXED_SAVES),
		CASE("elsewhere", RECORD("\x05", "/e/fg", "K\x02", "K\x01"), CKPT_CORRUPT,
		     CKPT_PROBLEM_HEADER),
		CASE("above", RECORD("\x02", "..", "K\x02", "K\x01"), CKPT_CORRUPT,
		     CKPT_PROBLEM_HEADER),
		CASE("below", RECORD("\x03", "s/d", "K\x02", "K\x01"), CKPT_VALID,
		     CKPT_PROBLEM_NONE),
		CASE("not below", RECORD("\x03", "s/e", "K\x02", "K\x01"), CKPT_INCOMPLETE,
		     CKPT_PROBLEM_SHARD_MISSING),
		CASE("down and up", RECORD("\x09", "s/../../d", "K\x02", "K\x01"), CKPT_CORRUPT,
		     CKPT_PROBLEM_HEADER),
		CASE("no name", RECORD("\x02", "s/", "K\x02", "K\x01"), CKPT_CORRUPT,
		     CKPT_PROBLEM_HEADER),
		CASE("a pipe", RECORD("\x04", "pipe", "K\x02", "K\x01"), CKPT_UNREADABLE,
		     CKPT_PROBLEM_HEADER),
		CASE("negative", RECORD("\x01", "d", "K\x02", "J\xff\xff\xff\xff"), CKPT_CORRUPT,
		     CKPT_PROBLEM_HEADER),
		CASE("overflow",
		     RECORD("\x01", "d", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\x01"),
		     CKPT_CORRUPT, CKPT_PROBLEM_HEADER),
		CASE("nothing in it", "}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER),
		CASE("no length",
		     "}(\x8c\x0drelative_path\x8c\x01"
		     "d\x8c\x06offsetK\x02u",
		     CKPT_CORRUPT, CKPT_PROBLEM_HEADER),
		CASE("a number for a path",
		     "}(\x8c\x0drelative_pathK\x05\x8c\x06offsetK\x02\x8c\x06lengthK\x01u",
		     CKPT_VALID, CKPT_PROBLEM_NONE),
		CASE("one file, its name twice",
		     RECORD("\x01", "d", "K\x00", "K\x01") RECORD("\x01", "d", "K\x01", "K\x02"),
		     CKPT_VALID, CKPT_PROBLEM_NONE),
		CASE("halves of two records",
		     "}(\x8c\x0drelative_path\x8c\x01"
		     "d\x8c\x06offsetK\x02u}(\x8c\x0drelative_path\x8c\x01"
		     "d\x8c\x06lengthK\x01u",
		     CKPT_CORRUPT, CKPT_PROBLEM_HEADER),
		CASE("no pickle", "\xff", CKPT_CORRUPT, CKPT_PROBLEM_HEADER),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		bench_init(&bench);
		bench_text(&bench, "x/d", "abc");
		bench_text(&bench, "x/s/d", "abc");
		assert_int_equal(mkfifoat(bench.fd, "x/pipe", 0600), 0);
		bench_write(&bench, "x/.metadata", rows[i].bytes, rows[i].len);
		bench_judge(&bench, "x", CKPT_KIND_DIRECTORY, CKPT_LEVEL_STRUCTURE, &report);
		if (report.verdict.status != rows[i].status)
			print_error("%s:\n", rows[i].what);
		bench_expect(&report, rows[i].status, rows[i].code);
	}
}

/* A torchtitan directory that a killed job left empty is unfinished, not unknown. */
static void test_dcp__empty_step_directory(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	assert_int_equal(mkdirat(bench.fd, "step-300", 0755), 0);
	judge(&bench, "step-300", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dcp__whole),
		cmocka_unit_test(test_dcp__other_names),
		cmocka_unit_test(test_dcp__size_counts_each_file_once),
		cmocka_unit_test(test_dcp__damage),
		cmocka_unit_test(test_dcp__zeroed_pages),
		cmocka_unit_test(test_dcp__heads),
		cmocka_unit_test(test_dcp__tensors_as_they_are),
		cmocka_unit_test(test_dcp__tensors_in_parts),
		cmocka_unit_test(test_dcp__mixed_saves),
		cmocka_unit_test(test_dcp__younger_data_are_remarked),
		cmocka_unit_test(test_dcp__renamed_last),
		cmocka_unit_test(test_dcp__metadata_of_each_rank),
		cmocka_unit_test(test_dcp__lightning),
		cmocka_unit_test(test_dcp__hostile_metadata),
		cmocka_unit_test(test_dcp__empty_step_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
