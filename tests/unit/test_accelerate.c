/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accelerate's and kohya's state directories whose members PyTorch wrote.
 */
#include "core/format/train/accelerate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

static const char script[] =
	"import torch, os, json\n"
	"for d in ['checkpoint_3', 'at-000003-state', 'at-step00000900-state', 'at-state']:\n"
	"    os.makedirs(d)\n"
	"    w = torch.nn.Linear(4, 3)\n"
	"    torch.save(w.state_dict(), d + '/pytorch_model.bin')\n"
	"    torch.save(torch.optim.AdamW(w.parameters()).state_dict(), d + '/optimizer.bin')\n"
	"    torch.save({'last_epoch': 1}, d + '/scheduler.bin')\n"
	"    for i in range(3):\n"
	"        torch.save({'step': 2, 'random_state': torch.get_rng_state()},\n"
	"                   d + '/random_states_%d.pkl' % i)\n"
	"    if d != 'checkpoint_3':\n"
	"        json.dump({'current_epoch': 3, 'current_step': 900}, open(d + "
	"'/train_state.json', 'w'))\n";

#define D "checkpoint_3"

static void test_accelerate__whole(void **state)
{
	static const struct {
		const char *name;
		bool position;
		enum ckpt_meaning meaning;
	} rows[] = {
		{ "checkpoint_3", false, CKPT_EPOCH_UNKNOWN },
		{ "at-000003-state", true, CKPT_EPOCH_COMPLETED },
		{ "at-step00000900-state", true, CKPT_EPOCH_NEXT },
		{ "at-state", true, CKPT_EPOCH_UNKNOWN },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		real_dirs_judge(&bench, rows[i].name, "accelerate", &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_int_equal(report.position.has_step, rows[i].position);
		assert_int_equal(report.position.has_epoch, rows[i].position);
		assert_int_equal(report.position.meaning, rows[i].meaning);
		assert_true(!rows[i].position ||
			    (report.position.step == 900 && report.position.epoch == 3));
	}
}

static void test_accelerate__missing(void **state)
{
	static const struct {
		const char *remove, *member;
	} rows[] = {
		{ "pytorch_model.bin", "model weights" },
		{ "optimizer.bin", "optimizer.bin" },
		{ "random_states_0.pkl", "random_states_0.pkl" },
		{ "random_states_1.pkl", "random_states_1.pkl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char name[64];

		if (!bench_put(&bench, script))
			skip();
		snprintf(name, sizeof(name), D "/%s", rows[i].remove);
		bench_remove(&bench, name);
		real_dirs_judge(&bench, D, "accelerate", &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
		assert_string_equal(report.verdict.problem.member, rows[i].member);
	}
}

static void test_accelerate__damaged(void **state)
{
	static const char *const members[] = { "pytorch_model.bin", "optimizer.bin",
					       "scheduler.bin", "random_states_2.pkl" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char name[64];
		size_t len;
		unsigned char *data;

		snprintf(name, sizeof(name), D "/%s", members[i]);
		data = bench_read(&bench, name, &len);
		assert_non_null(data);
		bench_resize(&bench, name, len / 2);
		real_dirs_judge(&bench, D, "accelerate", &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		assert_string_equal(report.verdict.problem.file, members[i]);
		bench_text(&bench, name, "no format that anybody knows");
		real_dirs_judge(&bench, D, "accelerate", &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
		bench_write(&bench, name, data, len);
		free(data);
	}
	real_dirs_judge(&bench, D, "accelerate", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

/* Killed before any process wrote its random state. */
static void test_accelerate__no_random_states(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_remove(&bench, D "/random_states_0.pkl");
	bench_remove(&bench, D "/random_states_1.pkl");
	bench_remove(&bench, D "/random_states_2.pkl");
	real_dirs_judge(&bench, D, "accelerate", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	assert_string_equal(report.verdict.problem.member, "random_states_0.pkl");
}

/* kohya writes the state file first: alone it proves nothing; torn it is an unfinished save. */
static void test_accelerate__state_file(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "at-000001-state/train_state.json",
		   "{\"current_epoch\": 1, \"current_step\": 300}");
	real_dirs_judge(&bench, "at-000001-state", "accelerate", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	bench_text(&bench, "at-000001-state/train_state.json", "{\"current_epoch\": 1, \"cur");
	real_dirs_judge(&bench, "at-000001-state", "accelerate", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED);
	assert_string_equal(report.verdict.problem.file, "train_state.json");
}

/* Members in a format of their own directory are said not to be checked. */
static void test_accelerate__folders_weaken(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	bench_remove(&bench, D "/pytorch_model.bin");
	bench_text(&bench, D "/pytorch_model/config.json", "{}");
	real_dirs_judge(&bench, D, "accelerate", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
	assert_string_equal(report.verdict.note, "pytorch_model is not looked into");
}

/* FSDP's names, and models in folders of their own, as diffusers keeps them. */
static void test_accelerate__weights_elsewhere(void **state)
{
	static const struct {
		const char *weights; /* where they are put */
		enum ckpt_status status;
		enum ckpt_evidence evidence;
	} rows[] = {
		{ "pytorch_model_fsdp.bin", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM },
		{ "pytorch_model_fsdp_1.bin", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM },
		{ "pytorch_model_fsdp_rank0.bin", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM },
		{ "unet/diffusion_pytorch_model.bin", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM },
		{ "flux_controlnet/diffusion_pytorch_model.bin", CKPT_VALID,
		  CKPT_EVIDENCE_CHECKSUM },
		{ "unet_lora/adapter_model.bin", CKPT_VALID, CKPT_EVIDENCE_CHECKSUM },
		{ "my_own.pth", CKPT_VALID, CKPT_EVIDENCE_STRUCTURE },
		{ "unet_ema/diffusion_pytorch_model.bin", CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE },
		{ "unet/config.json", CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE },
		{ "checkpoint-3/pytorch_model.bin", CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE },
		{ "dl_state_dict.bin", CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE },
		{ "model-00001-of-00002.bin", CKPT_INCOMPLETE, CKPT_EVIDENCE_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;
		char name[96];

		if (!bench_put(&bench, script))
			skip();
		snprintf(name, sizeof(name), D "/%s", rows[i].weights);
		assert_true(bench_copy(&bench, D "/pytorch_model.bin", name));
		bench_remove(&bench, D "/pytorch_model.bin");
		real_dirs_judge(&bench, D, "accelerate", &report);
		assert_int_equal(report.verdict.status, rows[i].status);
		if (rows[i].status == CKPT_VALID)
			assert_int_equal(report.verdict.evidence, rows[i].evidence);
		else
			assert_string_equal(report.verdict.problem.member, "model weights");
	}
}

/* A link to the directory itself ends the descent. */
static void test_accelerate__folder_loop(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	assert_int_equal(symlinkat(".", bench.fd, D "/pytorch_model"), 0);
	real_dirs_judge(&bench, D, "accelerate", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_OPAQUE);
}

/* A model's folder that cannot be opened is not left out silently. */
static void test_accelerate__folder_unreadable(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;
	bool root = geteuid() == 0;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	assert_int_equal(mkdirat(bench.fd, D "/pytorch_model", 0), 0);
	assert_int_equal(fchmod(bench.fd, 0755), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	bench_judge(&bench, D, CKPT_KIND_DIRECTORY, CKPT_LEVEL_FULL, &report);
	if (root)
		assert_int_equal(seteuid(0), 0);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accelerate__whole),
		cmocka_unit_test(test_accelerate__missing),
		cmocka_unit_test(test_accelerate__folder_unreadable),
		cmocka_unit_test(test_accelerate__damaged),
		cmocka_unit_test(test_accelerate__no_random_states),
		cmocka_unit_test(test_accelerate__state_file),
		cmocka_unit_test(test_accelerate__folders_weaken),
		cmocka_unit_test(test_accelerate__weights_elsewhere),
		cmocka_unit_test(test_accelerate__folder_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
