/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NumPy files: those that NumPy itself writes, of every kind of type, and headers of every kind of
 * damage.
 */
#include "core/format/array/npy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/judge.h"

#define SAMPLE CKPT_SAMPLES "/numpy/candle/test.npy"

static const char script[] =
	"import numpy as np\n"
	"s=np.save\n"
	"s('f4.npy', np.arange(12, dtype='f4').reshape(3, 4))\n"
	"s('scalar.npy', np.int64(7))\n"
	"s('empty.npy', np.zeros((0, 5)))\n"
	"s('big.npy', np.arange(5, dtype='>u2'))\n"
	"s('text.npy', np.array(['abc', 'de']))\n"
	"s('bytes.npy', np.array([b'abc', b'de']))\n"
	"s('date.npy', np.array(['2020-01-01'], dtype='M8[ns]'))\n"
	"s('bool.npy', np.ones(9, dtype=bool))\n"
	"s('complex.npy', np.ones((2, 2), dtype='c16'))\n"
	"s('fortran.npy', np.asfortranarray(np.ones((3, 4))))\n"
	"t=np.dtype([('a', '<f4'), ('b', '<i8', (2, 3)), ('c', [('d', 'S3'), ('e', 'u1')])])\n"
	"s('record.npy', np.zeros(4, dtype=t))\n"
	"s('aligned.npy', np.zeros(4, dtype=np.dtype([('a','u1'),('b','f8')], align=True)))\n"
	"s('titled.npy', np.zeros(4, dtype=np.dtype([(('t', 'a'), 'u1'), ('b', 'f8')])))\n"
	"s('many.npy', np.zeros(1, dtype=[('f%05d' % i, 'f4') for i in range(2000)]))\n"
	"s('objects.npy', np.array([{'a': 1}, [2, 3]], dtype=object))\n"
	"import warnings\nwarnings.simplefilter('ignore')\n"
	"with open('v3.npy', 'wb') as f:\n"
	"  np.lib.format.write_array(f, np.zeros(3, dtype=[('\\u03b1', 'f4')]))\n"
	"with open('v2.npy', 'wb') as f: np.lib.format.write_array(f, np.zeros(3), version=(2, "
	"0))\n"
	"with open('two.npy', 'wb') as f: s(f, np.zeros(3)); s(f, np.ones(4))\n";

static const char *const good[] = {
	"f4.npy",     "scalar.npy", "empty.npy",   "big.npy",	  "text.npy",	"bytes.npy",
	"date.npy",   "bool.npy",   "complex.npy", "fortran.npy", "record.npy", "aligned.npy",
	"titled.npy", "many.npy",   "v2.npy",	   "v3.npy",	  "two.npy",	"objects.npy",
};

#define N_GOOD (sizeof(good) / sizeof(good[0]))

static void expect(struct bench *bench, const char *name, enum ckpt_status status,
		   enum ckpt_problem_code code)
{
	struct ckpt_report report;

	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_equal(report.format->name, "npy");
	bench_expect(&report, status, code);
	if (status == CKPT_VALID)
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE);
}

static void test_npy__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, script)) {
		print_message("NumPy is not here\n");
		skip();
	}
	for (size_t i = 0; i < N_GOOD; i++)
		expect(&bench, good[i], CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_judge(&bench, "two.npy", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_int_equal(report.tensors, 2);
	assert_non_null(strstr(report.verdict.note, "no checksum"));
}

/* Every length that is not the whole is told. */
static void test_npy__every_cut(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	size_t len;

	(void)state;
	bench_init(&bench);
	if (!bench_python(&bench, script))
		skip();
	for (size_t i = 0; i < N_GOOD; i++) {
		_cleanup_free_ unsigned char *data = bench_read(&bench, good[i], &len);

		if (strcmp(good[i], "many.npy") == 0)
			continue;
		for (size_t cut = 6; cut < len; cut++) {
			if (strcmp(good[i], "two.npy") == 0 && cut >= 152 && cut < 158)
				continue; /* between the arrays, or too little of the second */
			bench_write(&bench, "cut.npy", data, cut);
			bench_judge(&bench, "cut.npy", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
			bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
		}
	}
	{
		_cleanup_free_ unsigned char *data = bench_read(&bench, "f4.npy", &len);

		bench_write(&bench, "cut.npy", data, len);
		expect(&bench, "cut.npy", CKPT_VALID, CKPT_PROBLEM_NONE);
		bench_resize(&bench, "cut.npy", len + 5);
		expect(&bench, "cut.npy", CKPT_VALID, CKPT_PROBLEM_TRAILING);
	}
}

/* A file of version @version with the header @text and @data bytes of data. */
static void put(struct bench *bench, int version, const char *text, size_t data)
{
	unsigned char file[4096] = "\x93NUMPY";
	size_t n = strlen(text), at = version == 1 ? 10 : 12;

	file[6] = (unsigned char)version;
	file[8] = (unsigned char)n;
	file[9] = (unsigned char)(n >> 8);
	memcpy(file + at, text, n);
	bench_write(bench, "x.npy", file, at + n + data);
}

static void test_npy__headers(void **state)
{
	static const struct {
		const char *text;
		size_t data;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "{'descr':'<f4','fortran_order':False,'shape':(2,)}", 8, 0, 0 },
		{ "{'descr':u'<f4','fortran_order':False,'shape':(2L, 3L)}", 24, 0, 0 },
		{ "{\"descr\": \"<f4\", \"fortran_order\": True, \"shape\": ()}\n", 4, 0, 0 },
		{ "{'shape': (2,), 'descr': '|V5', 'fortran_order': False, }  \n", 10, 0, 0 },
		{ "{'descr':'<f4','fortran_order':False,'shape':(2,)}", 7, CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "{'descr':'<f4','fortran_order':False,'shape':(2,)} x", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4','fortran_order':False}", 8, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4','fortran_order':Falsf,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<g4','fortran_order':False,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f','fortran_order':False,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4x','fortran_order':False,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':[('a','<f4'),'fortran_order':False,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4','fortran_order':False,'shape':(-2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4','fortran_order':False,'shape':(99999999999999999999,)}", 8,
		  CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f8','fortran_order':False,'shape':(4611686018427387904,)}", 8,
		  CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f8','fortran_order':False,'shape':(1152921504606846976,)}", 8,
		  CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "{'descr':'<f4','fortran_order':False,'shape':(2,),'x':1}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
		{ "", 8, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{'descr':'<f4", 8, CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{'descr':'|O','fortran_order':False,'shape':(2,)}", 8, CKPT_CORRUPT,
		  CKPT_PROBLEM_HEADER },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	bench_init(&bench);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int version = 1; version <= 3; version++) {
			put(&bench, version, rows[i].text, rows[i].data);
			expect(&bench, "x.npy", rows[i].status, rows[i].code);
		}
	put(&bench, 4, rows[0].text, 8);
	expect(&bench, "x.npy", CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
}

/* Records in records in records: refused, at once. */
static void test_npy__deep(void **state)
{
	_cleanup_bench_ struct bench bench;
	char text[3000] = "{'descr':";

	(void)state;
	bench_init(&bench);
	for (int i = 0; i < 400; i++)
		strncat(text, "[('',", sizeof(text) - strlen(text) - 1);
	put(&bench, 1, text, 0);
	expect(&bench, "x.npy", CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
}

static void test_npy__header_too_large(void **state)
{
	static unsigned char file[CKPT_NPY_HEADER_MAX + 100] = "\x93NUMPY\2\0\1\0\x10";
	_cleanup_bench_ struct bench bench;

	(void)state;
	bench_init(&bench);
	bench_write(&bench, "x.npy", file, sizeof(file));
	expect(&bench, "x.npy", CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT);
	bench_resize(&bench, "x.npy", 1000); /* a limit is met by what is there */
	expect(&bench, "x.npy", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
}

static void test_npy__sample(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	bench_init(&bench);
	if (!bench_copy(&bench, SAMPLE, "test.npy")) {
		print_message("no sample: %s\n", SAMPLE);
		skip();
	}
	expect(&bench, "test.npy", CKPT_VALID, CKPT_PROBLEM_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_npy__whole),
		cmocka_unit_test(test_npy__every_cut),
		cmocka_unit_test(test_npy__headers),
		cmocka_unit_test(test_npy__deep),
		cmocka_unit_test(test_npy__header_too_large),
		cmocka_unit_test(test_npy__sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
