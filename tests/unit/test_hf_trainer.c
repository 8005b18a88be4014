/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hugging Face Trainer directories whose members PyTorch wrote: whole, and with each part missing
 * or damaged.
 */
#include "core/format/train/hf_trainer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/real_dirs.h"

#define D "checkpoint-500"

static const char script[] =
	"import torch, os, json, struct\n"
	"os.makedirs('checkpoint-500', exist_ok=True)\n"
	"os.chdir('checkpoint-500')\n"
	"w = torch.nn.Linear(4, 3)\n"
	"opt = torch.optim.AdamW(w.parameters())\n"
	"w(torch.ones(4)).sum().backward(); opt.step()\n"
	"torch.save(opt.state_dict(), 'optimizer.pt')\n"
	"sch = torch.optim.lr_scheduler.StepLR(opt, 1)\n"
	"torch.save(sch.state_dict(), 'scheduler.pt')\n"
	"torch.save({'cpu': torch.get_rng_state()}, 'rng_state_0.pth')\n"
	"torch.save({'cpu': torch.get_rng_state()}, 'rng_state_1.pth')\n"
	"torch.save(dict(lr=1), 'training_args.bin')\n"
	"h = json.dumps({'w': {'dtype': 'F32', 'shape': [12], 'data_offsets': [0, 48]}}).encode()\n"
	"open('model.safetensors', 'wb').write(struct.pack('<Q', len(h)) + h + b'x' * 48)\n"
	"log = [{'step': i, 'epoch': i / 200, 'loss': 1 / i, 'grad_norm': float('nan')}\n"
	"       for i in range(1, 500)] + [{'step': 500, 'eval_loss': 0.25}, {'train_runtime': "
	"7.5}]\n"
	"json.dump({'epoch': 2.5, 'global_step': 500, 'best_metric': None, 'log_history': log},\n"
	"          open('trainer_state.json', 'w'), indent=2)\n";

static void test_hf_trainer__whole(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	real_dirs_judge(&bench, D, "hf-trainer", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_STRUCTURE); /* safetensors */
	assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
	assert_true(report.position.has_step && report.position.step == 500);
	assert_true(report.position.has_epoch && report.position.epoch == 2.5);
	assert_int_equal(report.position.meaning, CKPT_EPOCH_FRACTION);
	assert_true(report.position.has_loss && report.position.loss == 0.25);
	assert_string_equal(report.position.loss_key, "eval_loss");

	/* Other weights, all with checksums. */
	assert_true(bench_copy(&bench, D "/optimizer.pt", D "/pytorch_model.bin"));
	bench_remove(&bench, D "/model.safetensors");
	real_dirs_judge(&bench, D, "hf-trainer", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	assert_int_equal(report.verdict.evidence, CKPT_EVIDENCE_CHECKSUM);
}

static void test_hf_trainer__missing(void **state)
{
	static const struct {
		const char *remove;
		enum ckpt_status status;
		const char *member;
	} rows[] = {
		{ "model.safetensors", CKPT_INCOMPLETE, "model weights" },
		{ "trainer_state.json", CKPT_INCOMPLETE, "trainer_state.json" },
		{ "rng_state_0.pth", CKPT_INCOMPLETE, "rng_state_0.pth" },
		{ "optimizer.pt", CKPT_VALID, NULL },
		{ "scheduler.pt", CKPT_VALID, NULL },
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
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, rows[i].status,
			     rows[i].member ? CKPT_PROBLEM_MEMBER_MISSING : CKPT_PROBLEM_NONE);
		if (rows[i].member)
			assert_string_equal(report.verdict.problem.member, rows[i].member);
		else
			assert_int_equal(report.contents, CKPT_CONTENTS_WEIGHTS);
	}
}

/* Adapters with names and modules lie in folders, whose weights are looked at beside others too. */
static void test_hf_trainer__folders(void **state)
{
	static const char *const names[] = { D "/first/adapter_model.safetensors",
					     D "/0_StaticEmbedding/model.safetensors",
					     D "/pytorch_model_fsdp.bin" };
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		bench_text(&bench, names[i], "");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		assert_string_equal(report.verdict.problem.file, names[i] + strlen(D "/"));
		assert_true(bench_copy(&bench, D "/model.safetensors", names[i]));
		bench_remove(&bench, D "/model.safetensors");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		assert_true(bench_copy(&bench, names[i], D "/model.safetensors"));
		bench_remove(&bench, names[i]);
	}
}

/* What nobody reads who resumes is neither needed nor enough: an export for another program, and
 * where modules are listed, a folder of none of them. */
static void test_hf_trainer__unread_folders(void **state)
{
	static const char list[] = "[{\"idx\": 0, \"path\": \"\"}, {\"path\": \"2_Dense\"}]";
	static const struct {
		const char *modules, *file;
		bool read;
	} rows[] = {
		{ NULL, D "/onnx/model.safetensors", false },
		{ NULL, D "/openvino/pytorch_model.bin", false },
		{ NULL, D "/onnx/adapter_model.safetensors", true },
		{ NULL, D "/monnx/model.safetensors", true },
		{ NULL, D "/2_Dense/model.safetensors", true },
		{ list, D "/2_Dense/model.safetensors", true },
		{ list, D "/2_Den/model.safetensors", false },
		{ list, D "/2_Dense.old/model.safetensors", false },
		{ list, D "/first/adapter_model.safetensors", true },
		{ "[{\"path\": \"./2_Dense/\"}]", D "/2_Dense/model.safetensors", true },
		{ "[{\"path\": \"2_Den", D "/2_Dense/model.safetensors", true },
		{ "{}", D "/2_Dense/model.safetensors", true },
		{ "[]", D "/2_Dense/model.safetensors", true },
		{ "[{\"name\": \"x\"}]", D "/2_Dense/model.safetensors", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		if (!bench_put(&bench, script))
			skip();
		print_message("%s\n", rows[i].file);
		if (rows[i].modules)
			bench_text(&bench, D "/modules.json", rows[i].modules);
		bench_text(&bench, rows[i].file, "");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_equal(report.verdict.status,
				 rows[i].read ? CKPT_INCOMPLETE : CKPT_VALID);
		assert_true(bench_copy(&bench, D "/model.safetensors", rows[i].file));
		bench_remove(&bench, D "/model.safetensors");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_equal(report.verdict.status,
				 rows[i].read ? CKPT_VALID : CKPT_INCOMPLETE);
	}
}

/* Weights that lie beside their configuration are not made good by those of a folder. */
static void test_hf_trainer__own_weights(void **state)
{
	static const struct {
		const char *config[2], *folder;
	} rows[] = {
		{ { D "/adapter_config.json", D "/x.json" }, D "/ref/adapter_model.safetensors" },
		{ { D "/modules.json", D "/config.json" }, D "/2_Dense/model.safetensors" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		if (!bench_put(&bench, script))
			skip();
		assert_true(bench_copy(&bench, D "/model.safetensors", rows[i].folder));
		bench_text(&bench, rows[i].config[0], "{}");
		bench_text(&bench, rows[i].config[1], "{}");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		bench_remove(&bench, D "/model.safetensors");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
	}
}

/* Files that no row knows, where no weights have a name that is known. */
static void test_hf_trainer__unnamed(void **state)
{
	static const struct {
		const char *name, *from; /* NULL: a text */
		enum ckpt_status status;
	} rows[] = {
		{ D "/net.safetensors", D "/model.safetensors", CKPT_VALID },
		{ D "/net.bin", D "/optimizer.pt", CKPT_VALID },
		{ D "/net.safetensors", NULL, CKPT_CORRUPT },
		{ D "/vocab.bin", NULL, CKPT_INCOMPLETE },
		{ D "/lr_scheduler.pt", D "/scheduler.pt", CKPT_INCOMPLETE },
		{ D "/adam_optimizer.pt", D "/optimizer.pt", CKPT_INCOMPLETE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_bench_ struct bench bench;
		struct ckpt_report report;

		if (!bench_put(&bench, script))
			skip();
		print_message("%s\n", rows[i].name);
		if (rows[i].from)
			assert_true(bench_copy(&bench, rows[i].from, rows[i].name));
		else
			bench_text(&bench, rows[i].name, "words and more words");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
		bench_remove(&bench, D "/model.safetensors");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_equal(report.verdict.status, rows[i].status);
		if (rows[i].status == CKPT_VALID)
			assert_non_null(strstr(report.verdict.note, "are taken for them"));
	}
}

/* However many lie there: they are not read beside weights with a known name. */
static void test_hf_trainer__many_unnamed(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	assert_true(bench_python(&bench,
				 "for i in range(16500): open(f'checkpoint-500/{i}.pt', 'w')\n"));
	real_dirs_judge(&bench, D, "hf-trainer", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
	bench_remove(&bench, D "/model.safetensors");
	real_dirs_judge(&bench, D, "hf-trainer", &report);
	bench_expect(&report, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT);
}

/* With DeepSpeed, which keeps optimizer and scheduler in a folder that its pointer has to name. */
static void test_hf_trainer__deepspeed_pointer(void **state)
{
	static const char more[] = "import torch, os\n"
				   "os.chdir('checkpoint-500')\n"
				   "os.mkdir('global_step500')\n"
				   "w = torch.nn.Linear(4, 3).state_dict()\n"
				   "torch.save(dict(module=w, optimizer={'state': {}}, "
				   "lr_scheduler={}, global_steps=500,\n"
				   "                dp_world_size=1, mp_world_size=1),\n"
				   "           'global_step500/mp_rank_00_model_states.pt')\n"
				   "os.remove('optimizer.pt'); os.remove('scheduler.pt'); "
				   "os.remove('model.safetensors')\n";
	static const struct {
		const char *latest; /* NULL: none */
		enum ckpt_status status;
	} rows[] = {
		{ "global_step500", CKPT_VALID },
		{ "global_step500\n", CKPT_VALID },
		{ NULL, CKPT_INCOMPLETE },
		{ "", CKPT_INCOMPLETE },
		{ "global_step400", CKPT_INCOMPLETE },
		{ "../checkpoint-500", CKPT_INCOMPLETE },
		{ "trainer_state.json", CKPT_INCOMPLETE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script) || !bench_python(&bench, more))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unlinkat(bench.fd, D "/latest", 0);
		if (rows[i].latest)
			bench_text(&bench, D "/latest", rows[i].latest);
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, rows[i].status,
			     rows[i].status == CKPT_VALID ? CKPT_PROBLEM_NONE
							  : CKPT_PROBLEM_POINTER_STALE);
		if (rows[i].status == CKPT_VALID)
			assert_int_equal(report.contents, CKPT_CONTENTS_FULL);
		else
			assert_string_equal(report.verdict.problem.file, "latest");
	}
}

/* Every known member is held to its own format; each is cut and, in turn, put back. */
static void test_hf_trainer__damaged_members(void **state)
{
	static const char *const members[] = { "model.safetensors", "optimizer.pt",
					       "scheduler.pt",	    "rng_state_1.pth",
					       "training_args.bin", "trainer_state.json" };
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
		bench_resize(&bench, name, len - len / 3);
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_equal(report.verdict.status, CKPT_INCOMPLETE);
		assert_string_equal(report.verdict.problem.file, members[i]);
		bench_text(&bench, name, "no format that anybody knows");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, CKPT_CORRUPT, CKPT_PROBLEM_HEADER);
		bench_text(&bench, name, "\x80\x02}q\x01\xff\xff no opcode");
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		assert_int_not_equal(report.verdict.status, CKPT_VALID);
		bench_write(&bench, name, data, len);
		free(data);
	}
	real_dirs_judge(&bench, D, "hf-trainer", &report);
	bench_expect(&report, CKPT_VALID, CKPT_PROBLEM_NONE);
}

static void test_hf_trainer__state(void **state)
{
	static const struct {
		const char *json;
		enum ckpt_status status;
		enum ckpt_problem_code code;
	} rows[] = {
		{ "{\"global_step\":500}", CKPT_VALID, CKPT_PROBLEM_NONE },
		{ "{\"global_step\":400,\"epoch\":NaN}", CKPT_VALID, CKPT_PROBLEM_MIXED_SAVES },
		{ "{\"global_step\":500,\"log_history\":[{\"loss\":1", CKPT_INCOMPLETE,
		  CKPT_PROBLEM_TRUNCATED },
		{ "", CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED },
		{ "{}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"global_step\":-1}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"global_step\":1.5}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"global_step\":1e300}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "[500]", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"global_step\":500}}", CKPT_CORRUPT, CKPT_PROBLEM_HEADER },
		{ "{\"global_step\":500,\"log_history\":[7,{\"loss\":\"x\"},[]],\"epoch\":\"y\"}",
		  CKPT_VALID, CKPT_PROBLEM_NONE },
	};
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	if (!bench_put(&bench, script))
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bench_text(&bench, D "/trainer_state.json", rows[i].json);
		real_dirs_judge(&bench, D, "hf-trainer", &report);
		bench_expect(&report, rows[i].status, rows[i].code);
		assert_false(report.position.has_loss);
	}
}

/* A job killed right after it made the directory. */
static void test_hf_trainer__just_begun(void **state)
{
	_cleanup_bench_ struct bench bench;
	struct ckpt_report report;

	(void)state;
	bench_init(&bench);
	bench_text(&bench, "checkpoint-7/README.md", "x");
	real_dirs_judge(&bench, "checkpoint-7", "hf-trainer", &report);
	bench_expect(&report, CKPT_INCOMPLETE, CKPT_PROBLEM_MEMBER_MISSING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hf_trainer__whole),
		cmocka_unit_test(test_hf_trainer__missing),
		cmocka_unit_test(test_hf_trainer__folders),
		cmocka_unit_test(test_hf_trainer__unread_folders),
		cmocka_unit_test(test_hf_trainer__own_weights),
		cmocka_unit_test(test_hf_trainer__unnamed),
		cmocka_unit_test(test_hf_trainer__many_unnamed),
		cmocka_unit_test(test_hf_trainer__deepspeed_pointer),
		cmocka_unit_test(test_hf_trainer__damaged_members),
		cmocka_unit_test(test_hf_trainer__state),
		cmocka_unit_test(test_hf_trainer__just_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
