/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of pickles: by hand, opcode by opcode, and those of Python in every protocol.
 */
#include "core/format/torch/pickle_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

/* {'epoch': 3} */
static const char four[] = "\x80\x04\x95\x0e\0\0\0\0\0\0\0}\x94\x8c\x05"
			   "epoch\x94K\x03s.";
static const char two[] = "\x80\x02}q\0X\x05\0\0\0epochq\x01K\x03s.";
#define FOUR (sizeof(four) - 1)
#define TWO (sizeof(two) - 1)

static void judge(struct bench *bench, const char *name, const void *data, size_t len,
		  struct ckpt_report *ret)
{
	bench_write(bench, name, data, len);
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, ret);
}

static void append(struct bench *bench, const char *name, const char *text)
{
	int fd = openat(bench->fd, name, O_WRONLY | O_APPEND);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect_valid(const struct ckpt_report *report, const char *format,
			 enum ckpt_problem_code remark, enum ckpt_evidence evidence)
{
	bench_expect(report, CKPT_VALID, remark);
	assert_string_equal(report->format->name, format);
	assert_int_equal(report->verdict.evidence, evidence);
}

static void test_pickle_file__whole_and_cut(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char several[TWO + FOUR];

	(void)state;
	bench_init(&bench);
	memcpy(several, two, TWO);
	memcpy(several + TWO, four, FOUR);
	judge(&bench, "x", four, FOUR, &report);
	expect_valid(&report, "pickle", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_STRUCTURE);
	for (size_t cut = 2; cut <= sizeof(several); cut++) {
		judge(&bench, "x", several, cut, &report);
		if (cut == TWO || cut == sizeof(several)) {
			expect_valid(&report, "pickle", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_STRUCTURE);
			continue;
		}
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
		assert_int_equal(report.verdict.problem.offset, cut);
	}
}

static void test_pickle_file__rest(void **state)
{
	static const char junk[] = "a line of text";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char *data = calloc(1, 100000);

	(void)state;
	assert_non_null(data);
	bench_init(&bench);
	memcpy(data, four, FOUR);
	memcpy(data + FOUR, junk, sizeof(junk));
	judge(&bench, "x", data, FOUR + strlen(junk), &report);
	expect_valid(&report, "pickle", CKPT_PROBLEM_TRAILING, CKPT_EVIDENCE_STRUCTURE);
	assert_int_equal(report.verdict.problem.offset, FOUR);
	memcpy(data + FOUR, "\x80\x04\x95\xff", 4); /* as a pickle begins, and is none */
	memset(data + FOUR + 4, 'y', 20);
	judge(&bench, "x", data, FOUR + 24, &report);
	expect_valid(&report, "pickle", CKPT_PROBLEM_TRAILING, CKPT_EVIDENCE_STRUCTURE);
	memset(data + FOUR, 'y', 90000);
	judge(&bench, "x", data, FOUR + 90000, &report);
	expect_valid(&report, "pickle", CKPT_PROBLEM_TRAILING, CKPT_EVIDENCE_OPAQUE);
	memset(data + FOUR, 0, 90000);
	judge(&bench, "x", data, FOUR + 90000, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL);
	free(data);
}

/* As joblib has it, and what begins as a pickle does: nothing is known of either. */
static void test_pickle_file__cannot_be_followed(void **state)
{
	static const char by_name[] = "\x80\x02"
				      "cjoblib.numpy_pickle\nNumpyArrayWrapper\nX\xff\xff\xff\x7f";
	static const char by_stack[] = "\x80\x04\x8c\x13joblib.numpy_pickle\x94\x8c\x11"
				       "NumpyArrayWrapper\x94\x93.X\xff\xff\xff\x7f";
	static const char text[] = "\x80\x02X\x11\0\0\0NumpyArrayWrapperq";
	static const char other[] = "\x80\x04N\xff\xfe\xfd";
	static const char number[] = "\x80\x02\0\0\x01\0\0\0";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	judge(&bench, "x", by_name, sizeof(by_name) - 1, &report);
	expect_valid(&report, "opaque", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_OPAQUE);
	assert_non_null(strstr(report.verdict.note, "joblib"));
	judge(&bench, "x", by_stack, sizeof(by_stack) - 1, &report);
	expect_valid(&report, "opaque", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_OPAQUE);
	judge(&bench, "x", text, sizeof(text) - 1, &report); /* no class of that name */
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	judge(&bench, "x", other, sizeof(other) - 1, &report);
	expect_valid(&report, "opaque", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_OPAQUE);
	judge(&bench, "x", number, sizeof(number) - 1, &report);
	expect_valid(&report, "opaque", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_OPAQUE);
}

/* What an opcode announces is not read: this one would take minutes. */
static void test_pickle_file__arrays_are_stepped_over(void **state)
{
	static const char head[] = "\x80\x04\x8e\0\0\0\0\x10\0\0\0"; /* 64 GiB */
	static const size_t len = (size_t)1 << 36;
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_write(&bench, "x", head, sizeof(head) - 1);
	bench_resize(&bench, "x", sizeof(head) - 1 + len);
	bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	append(&bench, "x", ".");
	bench_judge(&bench, "x", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	expect_valid(&report, "pickle", CKPT_PROBLEM_NONE, CKPT_EVIDENCE_STRUCTURE);
}

static void test_pickle_file__of_python(void **state)
{
	static const char script[] = "import pickle, collections, datetime\n"
				     "v = {'epoch': 3, 'w': [0.5] * 5000, 'b': b'x' * 70000, 'u': "
				     "'z' * 300, 's': {1, 2},\n"
				     "     'o': collections.OrderedDict(a=1), 'd': "
				     "datetime.date(2020, 1, 2), 'n': 1 << 90}\n"
				     "for p in range(6):\n"
				     "    with open('p%d' % p, 'wb') as f:\n"
				     "        for i in range(3):\n"
				     "            pickle.dump(v, f, p)\n";
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (int p = 0; p < 6; p++) {
		char name[] = { 'p', (char)('0' + p), '\0' };

		bench_judge(&bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		expect_valid(&report, p < 2 ? "opaque" : "pickle", CKPT_PROBLEM_NONE,
			     p < 2 ? CKPT_EVIDENCE_OPAQUE : CKPT_EVIDENCE_STRUCTURE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pickle_file__whole_and_cut),
		cmocka_unit_test(test_pickle_file__rest),
		cmocka_unit_test(test_pickle_file__cannot_be_followed),
		cmocka_unit_test(test_pickle_file__arrays_are_stepped_over),
		cmocka_unit_test(test_pickle_file__of_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
