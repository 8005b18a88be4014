/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TensorFlow's first checkpoints, as tests/data/make_tf_v1.py lays them out: whole, damaged byte by
 * byte, contradicting themselves, and in shards.
 */
#include "core/format/tensorflow/tf_v1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

/* Runs @script with the writer's names at hand. */
static void make(struct bench *bench, const char *script)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "import sys\nsys.path.insert(0, '%s')\nsys.dont_write_bytecode = 1\n"
		 "from make_tf_v1 import *\n%s\n",
		 CKPT_TEST_DATA, script);
	assert_true(bench_python(bench, text));
}

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
	assert_string_equal(ret->format->name, "tf-v1");
	bench_expect(ret, status, code);
}

static void test_tf_v1__whole(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "for name, n in ('a', 1), ('b', 4), ('c', 100): write(name, sample(), n)");
	for (size_t i = 0; i < 3; i++) {
		expect(&bench, names[i], CKPT_VALID, CKPT_PROBLEM_NONE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_int_equal(report.tensors, 9);
		assert_true(report.position.has_step);
		assert_int_equal(report.position.step, 4711);
		assert_true(ckpt_report_has_key(&report, "dense"));
		assert_string_equal(report.verdict.note, "");
		bench_judge(&bench, names[i], CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
		assert_int_equal(report.position.step, 4711);
	}
}

/* Names tell what a checkpoint without an optimizer is. */
static void test_tf_v1__contents(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('sgd', sample()[:2]); write('weights', sample()[1:2])\n"
		     "write('epoch', [('epoch', 3, (), [((), [7])])])\n"
		     "write('minus', [('global_step', 9, (), [((), [-3])])])");
	expect(&bench, "sgd", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.contents, CKPT_CONTENTS_UNKNOWN);
	expect(&bench, "weights", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
	assert_false(report.position.has_step);
	expect(&bench, "epoch", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_true(report.position.has_epoch && report.position.epoch == 7);
	expect(&bench, "minus", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	assert_false(report.position.has_step);
}

/* Every byte counts: blocks by their CRC, the footer by its rules. */
static void test_tf_v1__flips(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len, missed = 0;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('a', sample(), 2)");
	data = bench_read(&bench, "a", &len);
	for (size_t at = 0; at < len; at++) {
		bench_flip(&bench, "a", at);
		bench_judge(&bench, "a", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		missed += report.verdict.evidence == CKPT_EVIDENCE_CHECKSUM &&
			  report.verdict.status == CKPT_VALID;
		bench_flip(&bench, "a", at);
	}
	assert_int_equal(missed, 0);
}

static void test_tf_v1__truncated(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('a', sample(), 2)");
	data = bench_read(&bench, "a", &len);
	for (size_t cut = 40; cut < len; cut += cut < len - 60 ? 97 : 1) {
		bench_write(&bench, "cut", data, cut);
		expect(&bench, "cut", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, &report);
	}
	memset(data + len / 2, 0, len - len / 2);
	bench_write(&bench, "cut", data, len);
	expect(&bench, "cut", CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, &report);
}

/* A position out of a damaged block is none. */
static void test_tf_v1__number_in_a_damaged_block(void **state)
{
	_cleanup_bench_ struct bench bench;
	_cleanup_free_ unsigned char *data = NULL;
	unsigned char *step;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('a', sample(4711), 1)");
	data = bench_read(&bench, "a", &len);
	step = memmem(data, len, "\x52\x02\xe7\x24", 4);
	assert_non_null(step);
	bench_flip(&bench, "a", (size_t)(step - data) + 2);
	bench_judge(&bench, "a", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_false(report.position.has_step);
}

/* All CRCs hold, and yet the file contradicts itself. */
static void test_tf_v1__contradictions(void **state)
{
	static const struct {
		const char *script, *member;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "write('a', sample(), leave_out=('table',))", "", CKPT_PROBLEM_MEMBER_MISSING },
		{ "write('a', sample(), twice=True)", "complex", CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 1, (3,), [((None,), [1.0] * 2)])])", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 1, (3,), [((None,), [1.0] * 4)])])", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 3, (3,), [((None,), [1] * 2)])])", "w", CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 3, (1,), [((None,), [1] * 11)])])", "w", CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 7, (2,), [((None,), [b'x'])])])", "w", CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 8, (2,), [((None,), [1.0] * 2)])])", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 1, (2, 2), [((None,), [1.0] * 2)])])", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 1, (2,), [((None, None), [1.0] * 2)])])", "w",
		  CKPT_PROBLEM_HEADER },
		{ "write('a', [('w', 1, (2,), [((None,), [1.0] * 2)] * 2)])", "w",
		  CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make(&bench, rows[i].script);
		expect(&bench, "a", CKPT_CORRUPT, rows[i].code, &report);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

/* Blocks must follow each other: a hole between them would be proved by nothing. */
static void test_tf_v1__tiling(void **state)
{
	static const char *const scripts[] = {
		/* the second block is named as if the first were longer */
		"t = Table(1); t.add(b'', M); t.out += b'gap'; t.add(b'x', b'')\n",
		/* a block that the index does not name */
		"t = Table(1); t.add(b'', M); t.block([(b'x', b'')])\n",
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char script[512];

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < 2; i++) {
		snprintf(script, sizeof(script),
			 "M = message(1, message(1, message(1, b'w') + message(4, b'')))\n"
			 "%sd = t.end(); open('a', 'wb').write(d)",
			 scripts[i]);
		make(&bench, script);
		expect(&bench, "a", CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, &report);
	}
}

static void test_tf_v1__shards(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench, "write('m.ckpt-10-00000-of-00002', sample()[:3])\n"
		     "write('m.ckpt-10-00001-of-00002', sample()[3:])\n");
	expect(&bench, "m.ckpt-10-00000-of-00002", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	bench_remove(&bench, "m.ckpt-10-00001-of-00002");
	expect(&bench, "m.ckpt-10-00000-of-00002", CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING,
	       &report);
	assert_string_equal(report.verdict.problem.member, "m.ckpt-10-00001-of-00002");
}

/* The index of a bundle is a table too, and no such checkpoint. */
static void test_tf_v1__other_tables(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench,
	     "t = Table(4); t.add(b'', number(1, 1)); t.add(b'w', number(1, 1) + message(2, b''))\n"
	     "d = t.end(); open('x.index', 'wb').write(d)\n");
	bench_judge(&bench, "x.index", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "opaque");
}

/* Data larger than the reader's window and than a block's usual size. */
static void test_tf_v1__large(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	make(&bench,
	     "write('a', sample() + [('big', 1, (300, 300), [((None, None), [0.25] * 90000)])])");
	expect(&bench, "a", CKPT_VALID, CKPT_PROBLEM_NONE, &report);
	bench_judge(&bench, "a", CKPT_KIND_FILE, CKPT_LEVEL_STRUCTURE, &report);
	assert_true(report.verdict.bytes_read < report.verdict.size_bytes / 4);
	bench_flip(&bench, "a", 100000);
	expect(&bench, "a", CKPT_CORRUPT, CKPT_PROBLEM_CHECKSUM, &report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tf_v1__whole),
		cmocka_unit_test(test_tf_v1__contents),
		cmocka_unit_test(test_tf_v1__flips),
		cmocka_unit_test(test_tf_v1__truncated),
		cmocka_unit_test(test_tf_v1__number_in_a_damaged_block),
		cmocka_unit_test(test_tf_v1__contradictions),
		cmocka_unit_test(test_tf_v1__tiling),
		cmocka_unit_test(test_tf_v1__shards),
		cmocka_unit_test(test_tf_v1__other_tables),
		cmocka_unit_test(test_tf_v1__large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
