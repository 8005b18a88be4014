/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --level=finite through the formats: files that the real programs wrote, with poison in known
 * tensors and without; what cannot be looked through is said and never called finite.
 */
#include "core/format/finiteness.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/resolve/trail.h"
#include "tests/unit/support/judge.h"

/* a: 1 NaN at [500, 3]; b: 1 -Inf at 7; c: NaN in the last one. good: none of these. */
#define DATA                                                                                       \
	"import numpy as np, os\n"                                                                 \
	"n, i, r = float('nan'), float('inf'), np.random.RandomState(1)\n"                         \
	"def data(bad):\n"                                                                         \
	"    a = r.randn(1000, 77).astype('f4'); b = r.randn(500); c = "                           \
	"r.randn(333).astype('f2')\n"                                                              \
	"    if bad: a[500, 3] = n; b[7] = -i; c[332] = n\n"                                       \
	"    return a, b, c\n"                                                                     \
	"for name in 'good', 'bad':\n"                                                             \
	"    a, b, c = data(name == 'bad')\n"

static void judge(struct bench *bench, const char *name, struct ckpt_report *ret)
{
	bench_judge(bench, name, CKPT_KIND_FILE, CKPT_LEVEL_FINITE, ret);
	assert_int_equal(ret->verdict.status, CKPT_VALID);
}

/* What is expected of bad.X; good.X must hold as many tensors and no poison. */
struct expected {
	const char *suffix;
	uint64_t tensors, nan, inf, poisoned;
	const char *first; /* the tensor that is named */
	int64_t offset;	   /* -1: not looked at */
};

static void check_pair(struct bench *bench, const struct expected *e)
{
	struct ckpt_report report;
	char name[64];

	snprintf(name, sizeof(name), "good%s", e->suffix);
	judge(bench, name, &report);
	assert_int_equal(report.finite.tensors, e->tensors);
	assert_int_equal(report.finite.poisoned, 0);
	assert_int_equal(report.finite.unscanned, 0);
	assert_int_not_equal(report.verdict.problem.code, CKPT_PROBLEM_NON_FINITE);
	snprintf(name, sizeof(name), "bad%s", e->suffix);
	judge(bench, name, &report);
	assert_int_equal(report.finite.tensors, e->tensors);
	assert_int_equal(report.finite.nan, e->nan);
	assert_int_equal(report.finite.inf, e->inf);
	assert_int_equal(report.finite.poisoned, e->poisoned);
	assert_int_equal(report.verdict.problem.code, CKPT_PROBLEM_NON_FINITE);
	assert_string_equal(report.finite.named[0].tensor, e->first);
	assert_string_equal(report.verdict.problem.member, e->first);
	if (e->offset >= 0)
		assert_int_equal(report.verdict.problem.offset, e->offset);
}

static bool make(struct bench *bench, const char *script)
{
	bench_init(bench);
	return bench_python(bench, script);
}

static void test_finiteness__numpy(void **state)
{
	static const struct expected rows[] = {
		{ ".npy", 1, 1, 0, 1, "array 0", 128 + (500 * 77 + 3) * 4 },
		{ ".npz", 3, 2, 1, 3, "a", -1 },
		{ "-z.npz", 3, 2, 1, 3, "a", -1 },
	};
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!make(&bench, DATA "    np.save(name + '.npy', a.astype('>f4'))\n"
			       "    np.savez(name + '.npz', a=a, b=b, c=c, n=np.arange(4))\n"
			       "    np.savez_compressed(name + '-z.npz', a=a, b=b, c=c)\n"))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_pair(&bench, &rows[i]);
}

static void test_finiteness__numpy_unknown(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench, "import numpy as np\n"
			  "np.savez('x.npz', r=np.zeros(3, dtype='f4,i4'), "
			  "o=np.array([1.5, None]), i=np.arange(9), l=np.zeros(2, 'g'), "
			  "v=np.zeros(2, 'V2'))\n"))
		skip();
	judge(&bench, "x.npz", &report);
	assert_int_equal(report.finite.tensors, 0);
	assert_int_equal(report.finite.unscanned, 4);
}

static void test_finiteness__hdf5(void **state)
{
	static const struct expected rows[] = {
		{ "-earliest.h5", 7, 3, 4, 7, "be", -1 },
		{ "-latest.h5", 7, 3, 4, 7, "half", -1 },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!make(&bench,
		  DATA "    import h5py\n"
		       "    for v in 'earliest', 'latest':\n"
		       "        f = h5py.File(name + '-' + v + '.h5', 'w', libver=v)\n"
		       "        f.create_dataset('g/plain', data=a)\n"
		       "        f.create_dataset('g/gz', data=b, compression='gzip')\n"
		       "        f.create_dataset('g/sh', data=a, compression='gzip', shuffle=True,"
		       " fletcher32=True)\n"
		       "        f.create_dataset('half', data=c, shuffle=True, chunks=(100,))\n"
		       "        f.create_dataset('be', data=b.astype('>f8'))\n"
		       "        f.create_dataset('s', data=b[7])\n"
		       "        f.create_dataset('un', data=b, chunks=(64,))\n"
		       "        f.create_dataset('int', data=np.full(9, -1)); f.close()\n"
		       "f = h5py.File('other.h5', 'w')\n"
		       "f.create_dataset('fill', data=np.arange(10.), chunks=(8,), fillvalue=n)\n"
		       "f.create_dataset('more', data=np.full(10, n), chunks=(8,), fillvalue=n)\n"
		       "f.create_dataset('lzf', data=np.zeros(9999), compression='lzf')\n"
		       "f.create_dataset('z', data=np.zeros(4, 'c8')); f.close()\n"))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_pair(&bench, &rows[i]);
	judge(&bench, "other.h5", &report);
	assert_int_equal(report.finite.unscanned, 3);
	assert_int_equal(report.finite.poisoned, 1);
	assert_string_equal(report.finite.named[0].tensor, "more");
}

static void test_finiteness__torch(void **state)
{
	static const struct expected rows[] = {
		{ ".pt", 7, 3, 5, 5, "model/w", -1 },
		{ "-old.pt", 7, 3, 5, 5, NULL, -1 },
	};
	_cleanup_bench_ struct bench bench;
	struct expected old = rows[1];
	struct ckpt_report report;

	(void)state;
	if (!make(&bench, DATA
		  "    import torch\n"
		  "    t = torch.tensor\n"
		  "    m = {'w': t(a), 'b': t(b), 'h': t(c), 'bf': t(a).bfloat16(), 'i': t([1]),"
		  " 'z': torch.zeros(3)}\n"
		  "    o = {'state': {0: {'step': 1, 'exp_avg': torch.zeros(4)},"
		  " 1: {'step': 1, 'exp_avg': torch.full((4,), -i if name == 'bad' else 0.)}}, "
		  "'param_groups': []}\n"
		  "    for zipped in True, False:\n"
		  "        torch.save({'model': m, 'optimizer': o, 'step': 3},"
		  " name + ('.pt' if zipped else '-old.pt'),"
		  " _use_new_zipfile_serialization=zipped)\n"))
		skip();
	check_pair(&bench, &rows[0]);
	judge(&bench, "bad.pt", &report);
	assert_string_equal(report.finite.named[4].tensor, "optimizer/state/1/exp_avg");
	assert_int_equal(report.finite.named[4].inf, 4);
	judge(&bench, "bad-old.pt", &report);
	old.first = report.finite.named[0].tensor;
	assert_int_equal(strncmp(old.first, "storage ", 8), 0);
	check_pair(&bench, &old);
}

/* dtypes of safetensors: four numbers each, one of them NaN where the type has one. */
static void test_finiteness__safetensors(void **state)
{
	static const struct {
		const char *dtype;
		unsigned bytes;
		uint64_t nan;
		bool found, known;
	} rows[] = {
		{ "F32", 4, 0x7fc00000, true, true },
		{ "F64", 8, 0x7ff8000000000000, true, true },
		{ "F16", 2, 0x7e00, true, true },
		{ "BF16", 2, 0x7fc0, true, true },
		{ "F8_E4M3", 1, 0x7f, true, true },
		{ "F8_E5M2", 1, 0x7e, true, true },
		{ "F8_E8M0", 1, 0xff, true, true },
		{ "F8_E4M3FNUZ", 1, 0x80, true, true },
		{ "F8_E5M2FNUZ", 1, 0x80, true, true },
		{ "I32", 4, 0x7fc00000, false, true },
		{ "F8_LATER", 1, 0xff, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		unsigned char file[512] = { 0 };
		struct ckpt_report report;
		int n = snprintf((char *)file + 8, 400,
				 "{\"t\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%u]}}",
				 rows[i].dtype, 4 * rows[i].bytes);

		file[0] = (unsigned char)n;
		for (unsigned k = 0; k < rows[i].bytes; k++)
			file[8 + n + 2 * (int)rows[i].bytes + (int)k] =
				(unsigned char)(rows[i].nan >> 8 * k);
		bench_init(&bench);
		bench_write(&bench, "f.safetensors", file, 8 + (size_t)n + 4 * rows[i].bytes);
		judge(&bench, "f.safetensors", &report);
		assert_int_equal(report.finite.poisoned, rows[i].found);
		assert_int_equal(report.finite.unscanned, !rows[i].known);
		if (rows[i].found) {
			assert_int_equal(report.finite.nan, 1);
			assert_string_equal(report.finite.named[0].tensor, "t");
			assert_int_equal(report.finite.named[0].offset,
					 8 + n + 2 * (int)rows[i].bytes);
		}
	}
}

/* A directory's members are looked through by their own rows, and told as one. */
static void test_finiteness__directory(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char words[512];

	(void)state;
	if (!make(&bench,
		  "import torch, os, json\n"
		  "os.mkdir('checkpoint-7')\n"
		  "n = float('nan')\n"
		  "torch.save({'w': torch.zeros(9)}, 'checkpoint-7/pytorch_model.bin')\n"
		  "torch.save({'state': {0: {'step': 1, 'exp_avg': torch.tensor([1., n])}, 1: {}}, "
		  "'param_groups': []},"
		  " 'checkpoint-7/optimizer.pt')\n"
		  "json.dump({'global_step': 7, 'epoch': 1.0}, "
		  "open('checkpoint-7/trainer_state.json',"
		  " 'w'))\n"))
		skip();
	bench_judge(&bench, "checkpoint-7", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FINITE, &report);
	assert_int_equal(report.verdict.status, CKPT_VALID);
	assert_int_equal(report.finite.files, 2);
	assert_int_equal(report.finite.tensors, 2);
	assert_int_equal(report.finite.nan, 1);
	assert_string_equal(report.finite.named[0].file, "optimizer.pt");
	assert_string_equal(report.finite.named[0].tensor, "state/0/exp_avg");
	assert_non_null(strstr(ckpt_report_words(words, sizeof(words), &report, NULL),
			       "valid but poisoned: 1 NaN in 1 of 2 tensors"));
	bench_judge(&bench, "checkpoint-7", CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	assert_false(ckpt_finiteness_looked(&report.finite));
}

/* A format that nobody looks through is not called finite. */
static void test_finiteness__not_looked_through(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	char words[512];

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "x.dump", "just some bytes of nobody knows what");
	judge(&bench, "x.dump", &report);
	assert_int_equal(report.finite.files, 0);
	assert_int_equal(report.finite.unscanned, 1);
	assert_non_null(strstr(ckpt_report_words(words, sizeof(words), &report, NULL),
			       "1 not looked through (opaque is not looked through)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finiteness__numpy),
		cmocka_unit_test(test_finiteness__numpy_unknown),
		cmocka_unit_test(test_finiteness__hdf5),
		cmocka_unit_test(test_finiteness__torch),
		cmocka_unit_test(test_finiteness__safetensors),
		cmocka_unit_test(test_finiteness__directory),
		cmocka_unit_test(test_finiteness__not_looked_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
