/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Determined's checkpoint directories whose members PyTorch wrote: judged, and ordered by what they
 * hold, since their names say nothing.
 */
#include "core/format/train/determined.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/catalog/catalog.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "tests/unit/support/real_dirs.h"

#define OLD "ffffffff-8a0d-4f4e-9a51-5c6d7e8f9a0b"
#define NEW "00000000-8a0d-4f4e-9a51-5c6d7e8f9a0b"

static const char script[] =
	"import torch, os, json\n"
	"for d, step in (('" OLD "', 100), ('" NEW "', 200)):\n"
	"    os.makedirs(d)\n"
	"    w = torch.nn.Linear(4, 3)\n"
	"    o = torch.optim.AdamW(w.parameters())\n"
	"    torch.save({'models_state_dict': [w.state_dict()],\n"
	"                'optimizers_state_dict': [o.state_dict()], 'rng_state': {}},\n"
	"               d + '/state_dict.pth')\n"
	"    json.dump({'trial_id': 1}, open(d + '/load_data.json', 'w'))\n"
	"    json.dump({'steps_completed': step, 'trial_id': 1, 'framework': 'torch-1.13'},\n"
	"              open(d + '/metadata.json', 'w'))\n";

static void test_determined__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	real_dirs_judge(&bench, NEW, "determined", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
	assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
	assert_true(report.position.has_step && report.position.step == 200);
	assert_false(report.position.has_epoch);
	/* as older versions wrote it, and as a program of one's own may */
	bench_text(&bench, NEW "/metadata.json", "{\"latest_batch\": 7}");
	real_dirs_judge(&bench, NEW, "determined", &report);
	assert_true(report.position.has_step && report.position.step == 7);
	bench_text(&bench, NEW "/metadata.json", "{\"steps_completed\": 1.5}");
	real_dirs_judge(&bench, NEW, "determined", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_false(report.position.has_step);
}

static void test_determined__damaged(void **state)
{
	static const struct {
		const char *remove, *cut, *member;
	} rows[] = {
		{ NEW "/metadata.json", NULL, "metadata.json" }, /* written last */
		{ NULL, NEW "/metadata.json", NULL },
		{ NULL, NEW "/state_dict.pth", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		if (!bench_put(&bench, script))
			skip();
		if (rows[i].remove)
			bench_remove(&bench, rows[i].remove);
		if (rows[i].cut)
			bench_resize(&bench, rows[i].cut, 20);
		real_dirs_judge(&bench, NEW, "determined", &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		if (rows[i].member)
			assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

/* Found by what they hold; a directory of such a name alone is none. */
static void test_determined__order(void **state)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_ctx ctx = { 0 };
	_cleanup_bench_ struct bench bench;
	struct ckpt_set *old, *new;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_text(&bench, "11111111-8a0d-4f4e-9a51-5c6d7e8f9a0b/results.txt", "no checkpoint");
	assert_int_equal(ckpt_catalog_scan(&ctx, &cat, bench.path, 0, NULL, NULL), 0);
	assert_int_equal(cat.n_sets, 2);
	old = ckpt_catalog_find(&cat, NULL, OLD);
	new = ckpt_catalog_find(&cat, NULL, NEW);
	ckpt_set_verify(&ctx, old, CKPT_LEVEL_STRUCTURE);
	ckpt_set_verify(&ctx, new, CKPT_LEVEL_STRUCTURE);
	assert_string_equal(old->series, new->series);
	assert_int_equal(ckpt_order_position(old).step, 100);
	assert_int_equal(ckpt_order_position(new).step, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_determined__whole),
		cmocka_unit_test(test_determined__damaged),
		cmocka_unit_test(test_determined__order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
