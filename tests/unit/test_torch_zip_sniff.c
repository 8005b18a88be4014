/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PyTorch archives that were unpacked and packed anew: zip writes directories before what lies in
 * them, and records in the order in which a file system names them. torch.load() takes all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/format/torch/torch_zip.h"
#include "tests/unit/support/judge.h"

static const char script[] =
	"import torch, zipfile\n"
	"torch.save({'epoch': 3, 'w': torch.ones(9), 'b': torch.ones(5)}, 'x.pt')\n"
	"def put(name, first, *directories):\n"
	"  with zipfile.ZipFile('x.pt') as old, zipfile.ZipFile(name, 'w') as new:\n"
	"    p = old.namelist()[0].split('/')[0] + '/'\n"
	"    for d in directories:\n"
	"      i = zipfile.ZipInfo(p + d); i.external_attr = 0x10; i.extra = b'UT\\5\\0\\1' + "
	"bytes(4)\n"
	"      new.writestr(i, b'')\n"
	"    for n in sorted(old.namelist(), key=lambda n: n != p + first): new.writestr(n, "
	"old.read(n))\n"
	"put('pickle.pt', 'data.pkl', '', 'data/')\n"
	"put('storage.pt', 'data/1', '', 'data/')\n"
	"put('version.pt', 'version', '')\n"
	"put('many.pt', 'data.pkl', '', *('data/%d/' % i for i in range(6)))\n"
	"with zipfile.ZipFile('other.zip', 'w') as z:\n"
	"  z.writestr('a/', ''); z.writestr('a/version', '3'); z.writestr('a/b/data.pkl', 'x')\n";

static void test_torch_zip_sniff__directories_first(void **state)
{
	static const char *const names[] = { "x.pt", "pickle.pt", "storage.pt", "version.pt",
					     "many.pt" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bench_judge(&bench, names[i], CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
		assert_string_equal(report.format->name, "torch-zip");
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_true(report.position.epoch == 3);
		assert_int_equal(report.tensors, 2);
	}
	bench_judge(&bench, "other.zip", CKPT_KIND_FILE, CKPT_LEVEL_FULL, &report);
	assert_string_not_equal(report.format->name, "torch-zip");
}

/* With the end lost, the first record that is no directory tells what it was. */
static void test_torch_zip_sniff__directories_cut(void **state)
{
	_cleanup_bench_ struct bench bench;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_expect_cuts(&bench, "pickle.pt", "cut.pt", 256, 37, "torch-zip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torch_zip_sniff__directories_first),
		cmocka_unit_test(test_torch_zip_sniff__directories_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
