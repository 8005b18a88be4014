/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flax's files, written by the msgpack package as tests/data/make_flax.py shapes them: whole, cut,
 * contradicting themselves, hostile, and inside an old Orbax directory.
 */
#include "core/format/jax/flax.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

/* Runs @script with the writer's names at hand; skips the test where there is no msgpack. */
static void make(struct bench *bench, const char *script)
{
	char text[2048];

	if (!bench_python(bench, "try:\n import msgpack\nexcept ImportError:\n exit(1)\n")) {
		print_message("skipped: python3-msgpack is not installed\n");
		skip();
	}
	snprintf(text, sizeof(text),
		 "import sys\nsys.path.insert(0, '%s')\nsys.dont_write_bytecode = 1\n"
		 "from make_flax import *\n%s\n",
		 CKPT_TEST_DATA, script);
	assert_true(bench_python(bench, text));
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "flax");
	bench_expect(ret, status, code);
}

/* The step may be a number, a scalar or an array of one element. */
static void test_flax__whole(void **state)
{
	static const struct {
		const char *step;
		int64_t value; /* -1: none */
	} rows[] = {
		{ "4711", 4711 },
		{ "scalar('int32', 'i', 4711)", 4711 },
		{ "scalar('uint16', 'H', 65535)", 65535 },
		{ "Array((), 'int64', struct.pack('<q', 1 << 40))", INT64_C(1) << 40 },
		{ "Array((1,), 'int8', b'\\x07')", 7 },
		{ "scalar('float32', 'f', 20.0)", 20 },
		{ "scalar('float64', 'd', 20.5)", -1 },
		{ "scalar('float64', 'd', float('nan'))", -1 },
		{ "scalar('int32', 'i', -3)", -1 },
		{ "Array((2,), 'int32', bytes(8))", -1 },
		{ "None", -1 },
		{ "-5", -1 },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[128];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(script, sizeof(script), "write('checkpoint_1', state(%s))", rows[i].step);
		make(&bench, script);
		expect(&bench, "checkpoint_1", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_int_equal(report.position.has_step, rows[i].value >= 0);
		assert_true(rows[i].value < 0 || report.position.step == rows[i].value);
		assert_true(ckpt_report_has_key(&report, "params"));
		assert_true(ckpt_report_has_key(&report, "misc"));
		assert_false(ckpt_report_has_key(&report, "kernel"));
	}
}

static void test_flax__contents(void **state)
{
	static const struct {
		const char *tree;
		enum ckpt_contents contents;
		uint64_t arrays;
	} rows[] = {
		{ "{'params': {'w': floats(3)}}", CKPT_CONTENTS_WEIGHTS, 1 },
		{ "{'bert': {'w': floats(3), 'step': 3}}", CKPT_CONTENTS_WEIGHTS, 1 },
		{ "{'params': {'w': floats(3)}, 'step': 1}", CKPT_CONTENTS_UNKNOWN, 1 },
		{ "{'0': {'opt_state': {'w': floats(3)}}, '1': 2}", CKPT_CONTENTS_FULL, 1 },
		{ "{'note': 'text'}", CKPT_CONTENTS_UNKNOWN, 0 },
		{ "dict(('k%d' % i, floats(1)) for i in range(70000))", CKPT_CONTENTS_WEIGHTS,
		  70000 },
		{ "dict(('k' * 100 + str(i), floats(1)) for i in range(100))",
		  CKPT_CONTENTS_WEIGHTS, 100 },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[256];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(script, sizeof(script), "write('x', %s)", rows[i].tree);
		make(&bench, script);
		expect(&bench, "x", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.contents, rows[i].contents);
		assert_int_equal(report.tensors, rows[i].arrays);
	}
}

/* Wherever it is cut, it is not finished. */
static void test_flax__truncated(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('x', state(5))");
	data = bench_read(&bench, "x", &len);
	for (size_t cut = 10; cut < len; cut += cut < 1500 || cut > len - 1000 ? 1 : 1009) {
		bench_write(&bench, "cut", data, cut);
		expect(&bench, "cut", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
}

static void test_flax__contradictions(void **state)
{
	static const struct {
		const char *script, *member;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "write('x', state(5), b'\\0')", "", CKPT_PROBLEM_TRAILING },
		{ "write('x', {'a': {'w': Array((3,), 'float32', bytes(11))}})", "a/w",
		  CKPT_PROBLEM_HEADER },
		{ "write('x', {'a': {'w': Array((3,), 'float32', bytes(16))}})", "a/w",
		  CKPT_PROBLEM_HEADER },
		{ "write('x', {'w': Array((1 << 40, 1 << 40), 'int8', b'')})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('x', {'w': Array((-1,), 'int8', b'')})", "w", CKPT_PROBLEM_HEADER },
		{ "write('x', {'w': Array((1 << 62,), 'float64', b'')})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "a = floats(2); a.inner += b'\\0'; write('x', {'w': a})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "a = floats(2); a.inner = a.inner[:-1]; write('x', {'w': a})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "a = floats(2); a.inner = msgpack.packb((1, 2)); write('x', {'w': a})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('x', {'v': floats(1), 'w': chunked((4, 6), floats(13), floats(10))})", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('x', {'w': floats(2), 'b': 1})\nd = open('x', 'rb').read()\n"
		  "open('x', 'wb').write(d[:-1] + b'\\xc1')",
		  "b", CKPT_PROBLEM_HEADER },
		{ "open('x', 'wb').write(b'\\x82\\xa1a\\x01' + b'\\x81\\xa1b\\x01' + b'\\x01')",
		  "a", CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i].script);
		expect(&bench, "x", CKPT_CORRUPT, rows[i].code, &report);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

/* A type that is not known here is no fault, nor are several objects of another program. */
static void test_flax__not_judged(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench,
	     "write('x', {'w': Array((3,), 'str96', bytes(36)), 'v': Array((8,), 'int4', bytes(8)),"
	     " 'u': Array((1,), 'datetime64[' + 'n' * 40 + ']', bytes(8))})\n"
	     "write('log', {'a': 1}, msgpack.packb({'a': 2}))\n");
	expect(&bench, "x", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	expect(&bench, "log", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

/* Zeros are numbers to MessagePack: an object whose end was never written ends among them. */
static void test_flax__zero_tail(void **state)
{
	static const struct {
		size_t len, whole;
		enum ckpt_status status;
	} rows[] = {
		{ 32000, 6, CKPT_INCOMPLETE },	{ 32000, 16, CKPT_INCOMPLETE },
		{ 32000, 30, CKPT_INCOMPLETE }, { 4000, 16, CKPT_INCOMPLETE },
		{ 400, 16, CKPT_INCOMPLETE },	{ 40, 16, CKPT_INCOMPLETE },
		{ 17, 6, CKPT_INCOMPLETE },	{ 16, 6, CKPT_VALID },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	unsigned char *data;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('x', {'step': 101, 'params': {'Dense_0': {'kernel': floats(9000)}}})");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		data = bench_read(&bench, "x", &len);
		assert_true(len > rows[i].len);
		memset(data + rows[i].whole, 0, len - rows[i].whole);
		bench_write(&bench, "bad", data, rows[i].len);
		free(data);
		expect(&bench, "bad", rows[i].status,
		       rows[i].status ? CKPT_PROBLEM_ZERO_TAIL : CKPT_PROBLEM_NONE, &report);
	}
}

/* Arrays that several hosts share lie beside it. */
static void test_flax__placeholders(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('checkpoint_3', {'step': 3, 'w': '//GDAPlaceholder:params/w'})\n"
		     "write('zarr', {'step': 3, 'w': 'PLACEHOLDER://params.w'})\n");
	expect(&bench, "checkpoint_3", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, &report);
	assert_string_equal(report.verdict.problem.member, "w");
	bench_text(&bench, "checkpoint_3_gda/params/w/.zarray", "{}");
	expect(&bench, "checkpoint_3", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	expect(&bench, "zarr", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

static void test_flax__hostile(void **state)
{
	static const struct {
		const char *script;
		enum ckpt_status status;
	} rows[] = {
		{ "open('x', 'wb').write(b'\\x81\\xa1a' + b'\\x91' * 100000)", CKPT_UNREADABLE },
		{ "open('x', 'wb').write(b'\\x81\\xa1a' + b'\\x91' * 400)", CKPT_INCOMPLETE },
		{ "open('x', 'wb').write(b'\\xdf\\xff\\xff\\xff\\xff\\xa1a\\x01')",
		  CKPT_INCOMPLETE },
		{ "open('x', 'wb').write(b'\\x81\\xa1a\\xc6\\xff\\xff\\xff\\xff')",
		  CKPT_INCOMPLETE },
		{ "open('x', 'wb').write(b'\\x81\\xa1a\\xdd\\xff\\xff\\xff\\xff')",
		  CKPT_INCOMPLETE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i].script);
		bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "flax");
		assert_int_equal(report.verdict.status, rows[i].status);
	}
}

/* What begins otherwise is left to other rows. */
static void test_flax__sniff(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool flax;
	} rows[] = {
		{ "\x81\xa1"
		  "a\x01",
		  4, true },
		{ "\x80", 1, false },
		{ "\x81\xa0\x01\x01", 4, false },
		{ "\x81\xa1\n\x01", 4, false },
		{ "\x81\xa1"
		  "a\xc1",
		  4, false },
		{ "\x91\xa1"
		  "a\x01",
		  4, false },
		{ "\xde\x00\x01\xa1"
		  "a\x01",
		  6, true },
		{ "\xdf\x00\x00\x00\x01\xd9\x01"
		  "a\x01",
		  9, true },
		{ "\x81\xbf"
		  "abc",
		  5, false },
		{ "\x81\x01\x01", 3, false },
		{ "\x81\xa2\xc3\xa9\x01", 5, true }, /* a name in UTF-8 */
		{ "\x81\xa2\xc3\x28\x01", 5, false },
		{ "\x81\xa1\xe9\x01", 4, false },
		{ "\x81\xa2"
		  "a\x00\x01",
		  5, false },
	};
	struct ckpt_check check = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memcpy(check.head.head, rows[i].bytes, rows[i].len);
		check.head.n_head = (uint32_t)rows[i].len;
		assert_int_equal(ckpt_flax_sniff(&check), rows[i].flax);
	}
}

/* Structure steps over the data. */
static void test_flax__reads_little(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('x', {'a': Array((1 << 22,), 'int8', bytes(1 << 22)), 'step': 9})");
	expect(&bench, "x", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.position.step, 9);
	assert_true(report.verdict.bytes_read < 32768);
}

/* Before OCDBT, Orbax put the tree, or what is no array of it, into a file by flax. */
static void test_flax__in_orbax(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench,
	     "import os\nos.makedirs('7/default')\nwrite('7/default/checkpoint', state(7))\n"
	     "os.makedirs('8')\nwrite('8/checkpoint', state(8))\n"
	     "os.makedirs('9')\nwrite('9/checkpoint', {'w': 'PLACEHOLDER://w'})\n");
	bench_judge(&bench, "7", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "orbax");
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
	assert_int_equal(report.position.step, 7);
	bench_judge(&bench, "9", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	bench_judge(&bench, "8", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_resize(&bench, "8/checkpoint", 200);
	bench_judge(&bench, "8", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	assert_string_equal(report.verdict.problem.file, "checkpoint");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flax__whole),
		cmocka_unit_test(test_flax__contents),
		cmocka_unit_test(test_flax__truncated),
		cmocka_unit_test(test_flax__contradictions),
		cmocka_unit_test(test_flax__not_judged),
		cmocka_unit_test(test_flax__zero_tail),
		cmocka_unit_test(test_flax__placeholders),
		cmocka_unit_test(test_flax__hostile),
		cmocka_unit_test(test_flax__sniff),
		cmocka_unit_test(test_flax__reads_little),
		cmocka_unit_test(test_flax__in_orbax),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
