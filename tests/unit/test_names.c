/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of names, name by name: what is a checkpoint, with which role, numbers and series, and
 * what is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/catalog/names.h"
#include "core/catalog/pattern.h"

#define NO INT64_MIN /* the name says no such number */

struct row {
	const char *name;
	bool is_dir;
	const char *layout;
	enum ckpt_role role;
	int64_t step, epoch, number;
	const char *series;
};

#define NUMBERED CKPT_ROLE_NUMBERED
#define LAST CKPT_ROLE_LAST
#define BEST CKPT_ROLE_BEST
#define SUPERSEDED CKPT_ROLE_SUPERSEDED

static const struct row rows[] = {
	/* packed: the name is what stands before the packer's ending */
	{ "ckpt-3.pt.gz", false, "number", NUMBERED, NO, NO, 3, "ckpt-#.pt.gz" },
	{ "model_step_500.safetensors.ZST", false, "step", NUMBERED, 500, NO, NO,
	  "model_step_#.safetensors.ZST" },
	{ "state.cpt.xz", false, "gromacs", LAST, NO, NO, NO, "state.cpt.xz" },
	{ "restart.100.gz", false, "lammps", NUMBERED, 100, NO, NO, "restart.#.gz" },
	{ "checkpoint.pth.tar.bz2", false, "checkpoint", LAST, NO, NO, NO,
	  "checkpoint.pth.tar.bz2" },
	{ "model.tar.lz4", false, "weights", LAST, NO, NO, NO, "model.tar.lz4" },
	/* directories */
	{ "checkpoint-500", true, "hf-trainer", NUMBERED, 500, NO, NO, "checkpoint-#/" },
	{ "checkpoint_3", true, "accelerate", NUMBERED, NO, NO, 3, "checkpoint_#/" },
	{ "0d6b2f3c-8a0d-4f4e-9a51-5c6d7e8f9a0b", true, "determined", NUMBERED, NO, NO, NO,
	  "????????"
	  "-????"
	  "-????"
	  "-????"
	  "-????????????"
	  "/" },
	{ "step_1000", true, "accelerate", NUMBERED, 1000, NO, NO, "step_#/" },
	{ "run7_1200", true, "orbax", NUMBERED, 1200, NO, NO, "run7_#/" },
	{ "epoch_7", true, "accelerate", NUMBERED, NO, 7, NO, "epoch_#/" },
	{ "NAME-step-150-state", true, "kohya-state", NUMBERED, 150, NO, NO, "NAME-step-#-state/" },
	{ "lora-step00000150-state", true, "kohya-state", NUMBERED, 150, NO, NO,
	  "lora-step#-state/" },
	{ "NAME-epoch-5-state", true, "kohya-state", NUMBERED, NO, 5, NO, "NAME-epoch-#-state/" },
	{ "at-000010-state", true, "kohya-state", NUMBERED, NO, 10, NO, "at-#-state/" },
	{ "at-state", true, "kohya-state", LAST, NO, NO, NO, "at-state/" },
	{ "epoch=3-step=400.ckpt", true, "lightning", NUMBERED, 400, 3, NO,
	  "epoch=#-step=#.ckpt/" },
	{ "last.ckpt", true, "lightning", LAST, NO, NO, NO, "last.ckpt/" },
	{ "iter_500.pth", true, "mmengine", NUMBERED, 500, NO, NO, "iter_#.pth/" },
	{ "epoch_12.pth", true, "mmengine", NUMBERED, NO, 12, NO, "epoch_#.pth/" },
	{ "global_step500", true, "deepspeed", NUMBERED, 500, NO, NO, "global_step#/" },
	{ "iter_0005000", true, "megatron", NUMBERED, 5000, NO, NO, "iter_#/" },
	{ "step-100", true, "torchtitan", NUMBERED, 100, NO, NO, "step-#/" },
	{ "chk00010", true, "amrex", NUMBERED, 10, NO, NO, "chk#/" },
	{ "chk1000000", true, "amrex", NUMBERED, 1000000, NO, NO, "chk#/" },
	{ "chk00010.old.0123456", true, "amrex", SUPERSEDED, 10, NO, NO, "chk#/.old.0123456" },
	{ "dmtcp_restart_script_1a2b-40000-6921.sh", false, "dmtcp", LAST, NO, NO, NO,
	  "dmtcp_restart_script_1a2b-40000-6921.sh" },
	{ "dmtcp_restart_script.sh", false, "dmtcp", LAST, NO, NO, NO, "dmtcp_restart_script.sh" },
	{ "criu-7", true, "criu", NUMBERED, NO, NO, 7, "criu-#/" },
	{ "criu-images", true, "criu", LAST, NO, NO, NO, "criu-images/" },
	{ "restart.500.bp", true, "adios2", NUMBERED, 500, NO, NO, "restart.#.bp/" },
	{ "restart-500.bp", false, "adios2", NUMBERED, 500, NO, NO, "restart-#.bp" },
	{ "restart.bp", true, "adios2", LAST, NO, NO, NO, "restart.bp/" },
	{ "checkpoint-500.old", true, "hf-trainer", SUPERSEDED, 500, NO, NO, "checkpoint-#/.old" },
	/* Lightning */
	{ "epoch=3-step=400.ckpt", false, "lightning", NUMBERED, 400, 3, NO,
	  "epoch=#-step=#.ckpt" },
	{ "epoch=03-step=0400-v2.ckpt", false, "lightning", NUMBERED, 400, 3, NO,
	  "epoch=#-step=#.ckpt" },
	{ "epoch=3-step=400-val_loss=0.35.ckpt", false, "lightning", NUMBERED, 400, 3, NO,
	  "epoch=#-step=#-val_loss=#.ckpt" },
	{ "epoch=3-step=400-lr=1e-05.ckpt", false, "lightning", NUMBERED, 400, 3, NO,
	  "epoch=#-step=#-lr=#.ckpt" },
	{ "last.ckpt", false, "lightning", LAST, NO, NO, NO, "last.ckpt" },
	{ "last-v1.ckpt", false, "lightning", LAST, NO, NO, NO, "last.ckpt" },
	{ "hpc_ckpt_12.ckpt", false, "lightning", NUMBERED, NO, NO, 12, "hpc_ckpt_#.ckpt" },
	{ "resnet50-epoch=02-val_loss=0.32.ckpt", false, "epoch", NUMBERED, NO, 2, NO,
	  "resnet50-epoch=#-val_loss=#.ckpt" },
	/* Coqui, F5, detectron2 */
	{ "checkpoint_1000.pth", false, "coqui", NUMBERED, 1000, NO, NO, "checkpoint_#.pth" },
	{ "best_model_950.pth", false, "coqui", BEST, 950, NO, NO, "best_model_#.pth" },
	{ "best_model.pth", false, "coqui", BEST, NO, NO, NO, "best_model.pth" },
	{ "model_1200.pt", false, "model_N", NUMBERED, 1200, NO, NO, "model_#.pt" },
	{ "model_last.pt", false, "model_N", LAST, NO, NO, NO, "model_last.pt" },
	{ "model_best.pt", false, "model_N", BEST, NO, NO, NO, "model_best.pt" },
	{ "model_0004999.pth", false, "model_N", NUMBERED, 4999, NO, NO, "model_#.pth" },
	{ "pretrained_model_1250000.safetensors", false, "pretrained", CKPT_ROLE_PRETRAINED, NO, NO,
	  NO, "pretrained_model_1250000.safetensors" },
	/* detectron2's and mmengine's other names, NeMo, NVRx */
	{ "model_final.pth", false, "last", LAST, NO, NO, NO, "model_final.pth" },
	{ "best_coco_bbox_mAP_epoch_12.pth", false, "epoch", BEST, NO, 12, NO,
	  "best_coco_bbox_mAP_epoch_#.pth" },
	{ "best_acc_iter_4000.pth", false, "step", BEST, 4000, NO, NO, "best_acc_iter_#.pth" },
	{ "epoch10.pt", false, "epoch", NUMBERED, NO, 10, NO, "epoch#.pt" },
	{ "megatron_gpt--val_loss=2.10-step=100-consumed_samples=800.0.ckpt", false, "step",
	  NUMBERED, 100, NO, NO, "megatron_gpt--val_loss=#-step=#-consumed_samples=#.ckpt" },
	{ "megatron_gpt--val_loss=2.10-step=100-consumed_samples=800.0-last.ckpt", false, "step",
	  LAST, 100, NO, NO, "megatron_gpt--val_loss=#-step=#-consumed_samples=#-last.ckpt" },
	/* fairseq, mmengine, ESPnet, Ultralytics, nanoGPT, SB3, flax, Composer, GROMACS */
	{ "checkpoint_last.pt", false, "fairseq", LAST, NO, NO, NO, "checkpoint_last.pt" },
	{ "checkpoint_best.pt", false, "fairseq", BEST, NO, NO, NO, "checkpoint_best.pt" },
	{ "checkpoint12.pt", false, "fairseq", NUMBERED, NO, 12, NO, "checkpoint#.pt" },
	{ "checkpoint_3_5000.pt", false, "fairseq", NUMBERED, 5000, 3, NO, "checkpoint_#_#.pt" },
	{ "epoch_12.pth", false, "mmengine", NUMBERED, NO, 12, NO, "epoch_#.pth" },
	{ "iter_4000.pth", false, "mmengine", NUMBERED, 4000, NO, NO, "iter_#.pth" },
	{ "3epoch.pth", false, "espnet", NUMBERED, NO, 3, NO, "#epoch.pth" },
	{ "last.pt", false, "last", LAST, NO, NO, NO, "last.pt" },
	{ "best.pt", false, "best", BEST, NO, NO, NO, "best.pt" },
	{ "ckpt.pt", false, "checkpoint", LAST, NO, NO, NO, "ckpt.pt" },
	{ "checkpoint.pth.tar", false, "checkpoint", LAST, NO, NO, NO, "checkpoint.pth.tar" },
	{ "rl_model_10000_steps.zip", false, "sb3", NUMBERED, 10000, NO, NO,
	  "rl_model_#_steps.zip" },
	{ "checkpoint_250", false, "flax", NUMBERED, 250, NO, NO, "checkpoint_#" },
	{ "state.cpt", false, "gromacs", LAST, NO, NO, NO, "state.cpt" },
	{ "state_prev.cpt", false, "gromacs", SUPERSEDED, NO, NO, NO, "state.cpt_prev.cpt" },
	{ "restart.5000", false, "lammps", NUMBERED, 5000, NO, NO, "restart.#" },
	{ "lj.restart.50", false, "lammps", NUMBERED, 50, NO, NO, "lj.restart.#" },
	{ "melt.20000.restart", false, "lammps", NUMBERED, 20000, NO, NO, "melt.#.restart" },
	{ "snapshot_iter_900", false, "chainer", NUMBERED, 900, NO, NO, "snapshot_iter_#" },
	{ "snapshot_iter_900.npz", false, "chainer", NUMBERED, 900, NO, NO, "snapshot_iter_#.npz" },
	/* kohya and Keras files */
	{ "lora-step00000150.safetensors", false, "kohya", NUMBERED, 150, NO, NO,
	  "lora-step#.safetensors" },
	{ "lora-000010.safetensors", false, "kohya", NUMBERED, NO, 10, NO, "lora-#.safetensors" },
	{ "weights.02-1.23.hdf5", false, "keras", NUMBERED, NO, 2, NO, "weights.#-#.hdf5" },
	{ "02-0.35.keras", false, "keras", NUMBERED, NO, 2, NO, "#-#.keras" },
	{ "latest.weights.h5", false, "last", LAST, NO, NO, NO, "latest.weights.h5" },
	{ "latest.weights.h5.bkp", false, "last", SUPERSEDED, NO, NO, NO, "latest.weights.h5.bkp" },
	/* in words */
	{ "ckpt-3.pt", false, "number", NUMBERED, NO, NO, 3, "ckpt-#.pt" },
	{ "step_500.pt", false, "step", NUMBERED, 500, NO, NO, "step_#.pt" },
	{ "epoch-7.pth", false, "epoch", NUMBERED, NO, 7, NO, "epoch-#.pth" },
	{ "Epoch7.PTH", false, "epoch", NUMBERED, NO, 7, NO, "Epoch#.PTH" },
	{ "vit_b16_ep3_it200.pt", false, "epoch-step", NUMBERED, 200, 3, NO, "vit_b16_ep#_it#.pt" },
	{ "net-step-20-epoch-1.pt", false, "epoch-step", NUMBERED, 20, 1, NO,
	  "net-step-#-epoch-#.pt" },
	{ "run-best-epoch=4.ckpt", false, "epoch", BEST, NO, 4, NO, "run-best-epoch=#.ckpt" },
	{ "model_best.pth.tar", false, "model_N", BEST, NO, NO, NO, "model_best.pth.tar" },
	{ "model_5.pt.bak-1", false, "model_N", SUPERSEDED, 5, NO, NO, "model_#.pt.bak-1" },
	{ "model_5.pt.BAK", false, "model_N", SUPERSEDED, 5, NO, NO, "model_#.pt.BAK" },
	{ "model_5.pt.old", false, "model_N", SUPERSEDED, 5, NO, NO, "model_#.pt.old" },
	/* endings that mean data of any kind: the name has to say more */
	{ "ckpt-1.npy", false, "number", NUMBERED, NO, NO, 1, "ckpt-#.npy" },
	{ "ckpt-1.nc", false, "number", NUMBERED, NO, NO, 1, "ckpt-#.nc" },
	{ "ckpt-1.dat", false, "number", NUMBERED, NO, NO, 1, "ckpt-#.dat" },
	{ "ckpt-1.bin", false, "number", NUMBERED, NO, NO, 1, "ckpt-#.bin" },
	{ "Restart_0010.NC4", false, "number", NUMBERED, NO, NO, 10, "Restart_#.NC#" },
	{ "run_checkpoint_step_20.npy", false, "step", NUMBERED, 20, NO, NO,
	  "run_checkpoint_step_#.npy" },
	{ "ckpt_epoch3.bin", false, "epoch", NUMBERED, NO, 3, NO, "ckpt_epoch#.bin" },
	{ "ckpt_latest.dat", false, "last", LAST, NO, NO, NO, "ckpt_latest.dat" },
	{ "checkpoint.nc", false, "checkpoint", LAST, NO, NO, NO, "checkpoint.nc" },
	{ "ckpt-1.dat.gz", false, "number", NUMBERED, NO, NO, 1, "ckpt-#.dat.gz" },
	/* numbers */
	{ "model_9223372036854775807.pt", false, "model_N", NUMBERED, INT64_MAX, NO, NO,
	  "model_#.pt" },
	{ "model_9223372036854775808.pt", false, "model_N", NUMBERED, NO, NO, NO, "model_#.pt" },
	{ "model_1234567890123456789012345678901234567890.pt", false, "model_N", NUMBERED, NO, NO,
	  NO, "model_#.pt" },
	{ "model_0.pt", false, "model_N", NUMBERED, 0, NO, NO, "model_#.pt" },
	{ "checkpoint-500.pt", false, "number", NUMBERED, NO, NO, 500, "checkpoint-#.pt" },
};

static void check_parsed(const struct row *row, const struct ckpt_name *got)
{
	assert_string_equal(got->layout, row->layout);
	assert_int_equal(got->role, row->role);
	assert_int_equal(got->kind, row->is_dir ? CKPT_KIND_DIRECTORY : CKPT_KIND_FILE);
	assert_int_equal(got->fold, CKPT_FOLD_NONE);
	assert_true(got->position.has_step == (row->step != NO));
	assert_true(row->step == NO || got->position.step == row->step);
	assert_true(got->position.has_epoch == (row->epoch != NO));
	assert_true(row->epoch == NO || got->position.epoch == (double)row->epoch);
	assert_true(got->has_number == (row->number != NO));
	assert_true(row->number == NO || got->number == row->number);
	assert_string_equal(got->series, row->series);
	assert_true(row->step == NO || got->position.step_source == CKPT_FROM_NAME);
}

static void check_row(const struct row *row)
{
	struct ckpt_name got;
	const char *why = NULL;
	int r = ckpt_name_parse(row->name, row->is_dir, &got, &why);

	print_message("%s\n", row->name);
	assert_int_equal(r, 0);
	check_parsed(row, &got);
	assert_true(got.position.step_vague == (strcmp(row->layout, "epoch-step") == 0));
}

static void test_names__candidates(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

static void test_names__no_candidates(void **state)
{
	static const struct {
		const char *name;
		bool is_dir;
	} names[] = {
		{ "train.pt", false },
		{ "data.tar.gz", false },
		{ "dataset_epoch_3.pt.gz", false },
		{ "imagenet-train.tar", false },
		{ ".gz", false },
		{ "results.csv.xz", false },
		{ "model2vec.pt", false },
		{ "data_17.pt", false },
		{ "rl_model_replay_buffer_1000_steps.pkl", false },
		{ "rl_model_vecnormalize_1000_steps.pkl", false },
		{ "optimizer_epoch_3.pt", false },
		{ "rng_state_0.pth", false },
		{ "scheduler-step-100.pt", false },
		{ "optimizer.pt", false },
		{ "training_args.bin", false },
		{ "pytorch_model_optimizer.bin", false },
		{ "train_000123.bin", false },
		{ "config.json", false },
		{ "model_5.pt.metadata.json", false },
		{ "epoch_info.json", false },
		{ "events.out.tfevents.1700000000.host.123.0", false },
		{ "faiss.meta.json", false },
		{ "checkpoint", false },
		{ "checkpoints", true },
		{ "checkpoint-", true },
		{ "checkpoint-12a", true },
		{ "checkpoint-500", false },
		{ "model_5.pt", true },
		{ "step", true },
		{ "..", true },
		{ "...", false },
		{ "", false },
		{ ".model_5.pt", false },
		{ ".ckpt-resume", true },
		{ ".pt", false },
		{ "notes.tmp", false },
		{ "notes.old", false },
		{ "1e-10.pt", false },
		{ "12345678901234567890123456789012345678901234567890", false },
		{ "saved_model.pb", false },
		{ "variables.index", false },
		{ "variables.data-00000-of-00001", false },
		{ "output_step_100.nc", false },
		{ "velocity_epoch_3.npy", false },
		{ "train_10.dat", false },
		{ "model_5.npy", false },
		{ "best.dat", false },
		{ "ckpt_optimizer_5.npy", false },
		{ "prechkpt_1.npy", false },
	};
	struct ckpt_name got;
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		print_message("%s\n", names[i].name);
		assert_int_equal(ckpt_name_parse(names[i].name, names[i].is_dir, &got, &why),
				 CKPT_NAME_NONE);
	}
	assert_null(why);
}

static void test_names__unfinished(void **state)
{
	static const struct {
		const char *name;
		bool is_dir;
		enum ckpt_name_result result;
	} names[] = {
		{ "model_5.pt.tmp", false, CKPT_NAME_UNFINISHED },
		{ "model_5.pt.tmp.1234", false, CKPT_NAME_UNFINISHED },
		{ "model_5.tmp.pt", false, CKPT_NAME_UNFINISHED },
		{ "model.safetensors.tmpAb12Cd", false, CKPT_NAME_UNFINISHED },
		{ "tmp-checkpoint-500", true, CKPT_NAME_UNFINISHED },
		{ "checkpoint-500.tmp", true, CKPT_NAME_UNFINISHED },
		{ "100.orbax-checkpoint-tmp-1700000000", true, CKPT_NAME_UNFINISHED },
		{ "checkpoint_tmp", false, CKPT_NAME_UNFINISHED },
		{ "checkpoint_tmp_gda", true, CKPT_NAME_UNFINISHED },
		{ "chk00010.temp", true, CKPT_NAME_UNFINISHED },
		{ "iter_0000100_0_local.dirty.pt", false, CKPT_NAME_UNFINISHED },
		{ "ckpt-7_temp", true, CKPT_NAME_UNFINISHED },
		{ "ckpt-7_temp_00ff", true, CKPT_NAME_UNFINISHED },
		{ "ckpt-7.index.tempstate1234567", false, CKPT_NAME_UNFINISHED },
		{ "state_step1500.cpt", false, CKPT_NAME_UNFINISHED },
		{ "tmp_model_5.pt", false, CKPT_NAME_UNFINISHED },
		{ "epoch=1-step=2.ckpt.part", false, CKPT_NAME_UNFINISHED },
		{ "m--loss=1.9-epoch=0-step=149-last-unfinished", false, CKPT_NAME_UNFINISHED },
		{ "model_5.pt.corrupted", false, CKPT_NAME_QUARANTINED },
		{ "model_5.pt.corrupted.2", false, CKPT_NAME_QUARANTINED },
		{ "ckpt-7.index.corrupted", false, CKPT_NAME_QUARANTINED },
		{ "whatever_temp", true, CKPT_NAME_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ckpt_name got;
		const char *why = NULL;

		print_message("%s\n", names[i].name);
		assert_int_equal(ckpt_name_parse(names[i].name, names[i].is_dir, &got, &why),
				 names[i].result);
		assert_true((why != NULL) == (names[i].result != CKPT_NAME_NONE));
	}
}

static void test_names__members(void **state)
{
	static const struct {
		const char *name, *stem, *series;
		enum ckpt_fold fold;
		enum ckpt_role role;
		int64_t part, step, epoch, number;
		bool weak;
	} names[] = {
		{ "ckpt-7.index", "ckpt-7", "ckpt-#.*", CKPT_FOLD_BUNDLE, NUMBERED, CKPT_PART_INDEX,
		  NO, NO, 7, false },
		{ "ckpt-7.data-00001-of-00002", "ckpt-7", "ckpt-#.*", CKPT_FOLD_BUNDLE, NUMBERED, 1,
		  NO, NO, 7, false },
		{ "ckpt-7.meta", "ckpt-7", "ckpt-#.*", CKPT_FOLD_BUNDLE, NUMBERED, CKPT_PART_META,
		  NO, NO, 7, true },
		{ "model.ckpt-1000.index", "model.ckpt-1000", "model.ckpt-#.*", CKPT_FOLD_BUNDLE,
		  NUMBERED, CKPT_PART_INDEX, 1000, NO, NO, false },
		{ "cp-0001.ckpt.index", "cp-0001.ckpt", "cp-#.ckpt.*", CKPT_FOLD_BUNDLE, NUMBERED,
		  CKPT_PART_INDEX, NO, 1, NO, false },
		{ "faiss.index", "faiss", "faiss.*", CKPT_FOLD_BUNDLE, LAST, CKPT_PART_INDEX, NO,
		  NO, NO, true },
		{ "weights.data-00000-of-00001", "weights", "weights.*", CKPT_FOLD_BUNDLE, LAST, 0,
		  NO, NO, NO, false },
		{ "model-00002-of-00003.safetensors", "model.safetensors.index.json",
		  "model.safetensors.index.json", CKPT_FOLD_SHARDS, LAST, 2, NO, NO, NO, false },
		{ "model.safetensors.index.json", "model.safetensors.index.json",
		  "model.safetensors.index.json", CKPT_FOLD_SHARDS, LAST, CKPT_PART_INDEX, NO, NO,
		  NO, false },
		{ "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json",
		  "pytorch_model.bin.index.json", CKPT_FOLD_SHARDS, LAST, 1, NO, NO, NO, false },
		{ "model.ckpt-10-00001-of-00002", "model.ckpt-10-#-of-00002", "", CKPT_FOLD_RANKS,
		  NUMBERED, 1, 10, NO, NO, false },
		{ "ep1-ba20-rank3.pt", "ep1-ba20-rank#.pt", "ep#-ba#-rank#.pt", CKPT_FOLD_RANKS,
		  NUMBERED, 3, 20, 1, NO, false },
		{ "iter_0000100_3_local.pt", "iter_0000100_#_local.pt", "iter_#_#_local.pt",
		  CKPT_FOLD_RANKS, NUMBERED, 3, 100, NO, NO, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ckpt_name got;
		const char *why;

		print_message("%s\n", names[i].name);
		assert_int_equal(ckpt_name_parse(names[i].name, false, &got, &why), 0);
		assert_int_equal(got.fold, names[i].fold);
		assert_string_equal(got.stem, names[i].stem);
		assert_int_equal(got.role, names[i].role);
		assert_true(got.part == names[i].part);
		assert_true(got.weak == names[i].weak);
		assert_true(names[i].step == NO || got.position.step == names[i].step);
		assert_true(got.position.has_epoch == (names[i].epoch != NO));
		assert_true(got.has_number == (names[i].number != NO));
		assert_true(names[i].number == NO || got.number == names[i].number);
		assert_true(names[i].fold == CKPT_FOLD_RANKS ||
			    !strcmp(got.series, names[i].series));
	}
}

/* A rank's word in a name that is a checkpoint's without it; what a number means it tells by its
 * place in the name itself. */
static void test_names__ranks(void **state)
{
	static const struct {
		const char *name, *stem, *series;
		int64_t rank, ranks, step;
	} names[] = {
		{ "ckpt_step100_rank3.pt", "ckpt_step100_rank#.pt", "ckpt_step#.pt_rank#", 3, 0,
		  100 },
		{ "ckpt_step100-rank-03.pt", "ckpt_step100-rank-#.pt", "ckpt_step#.pt_rank#", 3, 0,
		  100 },
		{ "step_7.rank=12.safetensors", "step_7.rank=#.safetensors",
		  "step_#.safetensors_rank#", 12, 0, 7 },
		{ "rank2_step_50.pth", "rank#_step_50.pth", "step_#.pth_rank#", 2, 0, 50 },
		{ "Model_Rank1_7.pt", "Model_Rank#_7.pt", "Model_#.pt_rank#", 1, 0, 7 },
		{ "model_7_rank_1.pt.gz", "model_7_rank_#.pt.gz", "model_#.pt.gz_rank#", 1, 0, 7 },
		{ "checkpoint-1_rank-00000002-of-00000004.pth",
		  "checkpoint-1_rank-#-of-00000004.pth", "checkpoint-#.pth_rank#-of-#", 2, 4, NO },
		{ "checkpoint_3_500-shard1.pt", "checkpoint_3_500-shard#.pt",
		  "checkpoint_#_#.pt_rank#", 1, 0, 500 },
		{ "last_rank0.ckpt", "last_rank#.ckpt", "last.ckpt_rank#", 0, 0, NO },
		{ "ckpt_step5_mp_rank_01.pt", "ckpt_step5_mp_rank_#.pt", "ckpt_step#_mp.pt_rank#",
		  1, 0, 5 },
		{ "step_7_rank0.pt.old", "step_7_rank#.pt.old", "step_#.pt_rank#.old", 0, 0, 7 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ckpt_name got;
		const char *why;

		print_message("%s\n", names[i].name);
		assert_int_equal(ckpt_name_parse(names[i].name, false, &got, &why), 0);
		assert_int_equal(got.fold, CKPT_FOLD_RANKS);
		assert_int_equal(got.numbering, CKPT_RANKS_IN_A_ROW);
		assert_string_equal(got.stem, names[i].stem);
		assert_string_equal(got.series, names[i].series);
		assert_int_equal(got.part, names[i].rank);
		assert_int_equal(got.ranks, names[i].ranks);
		assert_true(got.position.has_step == (names[i].step != NO));
		assert_true(names[i].step == NO || got.position.step == names[i].step);
	}
}

/* Words that only look like a rank's, two of them, and names that are no checkpoint's without. */
static void test_names__no_ranks(void **state)
{
	static const struct {
		const char *name;
		int result;
	} names[] = {
		{ "step_7_frank3.pt", 0 },
		{ "step_7_rank3b.pt", 0 },
		{ "step_7_rank.pt", 0 },
		{ "step_7_tp_rank_0_pp_rank_1.pt", 0 },
		{ "step_7_rank99999999999999999999.pt", 0 },
		{ "optimizer_step_7_rank0.pt", CKPT_NAME_NONE },
		{ "train_rank0.bin", CKPT_NAME_NONE },
		{ "rank0.pt", CKPT_NAME_NONE },
		{ "stdout.rank0", CKPT_NAME_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct ckpt_name got;
		const char *why;

		print_message("%s\n", names[i].name);
		assert_int_equal(ckpt_name_parse(names[i].name, false, &got, &why),
				 names[i].result);
		assert_true(names[i].result || got.fold == CKPT_FOLD_NONE);
	}
}

static void test_names__hostile(void **state)
{
	static const char *const odd[] = { "model_5\n.pt",
					   "\x1b[31mmodel_5.pt",
					   "mod\xff\xfe_5.pt",
					   "_____________",
					   "%s%n%d.pt",
					   "-rf",
					   "{s}",
					   "(a|b)",
					   "*" };
	char name[512], digits[256];
	struct ckpt_name got;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_in_range(ckpt_name_parse(odd[i], i % 2, &got, &why), 0, 3);
	/* every length up to beyond NAME_MAX, alone and with every extension that leads somewhere
	 */
	for (int len = 1; len < 256; len++) {
		memset(digits, '7', (size_t)len);
		digits[len] = '\0';
		snprintf(name, sizeof(name), "model_%s.pt", digits);
		assert_int_equal(ckpt_name_parse(name, false, &got, &why),
				 strlen(name) < CKPT_NAME_SIZE ? 0 : CKPT_NAME_NONE);
		snprintf(name, sizeof(name), "%s.data-00000-of-00001", digits);
		ckpt_name_parse(name, false, &got, &why);
		snprintf(name, sizeof(name), "%s-00001-of-00002.safetensors", digits);
		ckpt_name_parse(name, false, &got, &why);
		snprintf(name, sizeof(name), "model_1.pt.bak%s", digits);
		ckpt_name_parse(name, false, &got, &why);
		snprintf(name, sizeof(name), "ep1-ba1-rank%s.pt", digits);
		ckpt_name_parse(name, false, &got, &why);
	}
}

static void test_names__user(void **state)
{
	struct ckpt_name got;

	(void)state;
	ckpt_name_user("foo_12.dat", false, &got);
	assert_int_equal(got.role, CKPT_ROLE_NAMED);
	assert_int_equal(got.kind, CKPT_KIND_FILE);
	assert_true(got.has_number && got.number == 12);
	assert_false(got.position.has_step);
	assert_string_equal(got.series, "foo_#.dat");
	ckpt_name_user("state", true, &got);
	assert_int_equal(got.kind, CKPT_KIND_DIRECTORY);
	assert_false(got.has_number);
	assert_string_equal(got.series, "state/");
}

/* Numbers, role and series of directories that their content tells. */
static void test_names__marked(void **state)
{
	static const struct row marked[] = {
		{ "ep0-ba10", true, "marked", NUMBERED, 10, 0, NO, "ep#-ba#/" },
		{ "step1000", true, "marked", NUMBERED, 1000, NO, NO, "step#/" },
		{ "global_step_40", true, "marked", NUMBERED, 40, NO, NO, "global_step_#/" },
		{ "epoch-3", true, "marked", NUMBERED, NO, 3, NO, "epoch-#/" },
		{ "ckpt-7", true, "marked", NUMBERED, NO, NO, 7, "ckpt-#/" },
		{ "100", true, "marked", NUMBERED, NO, NO, 100, "#/" },
		{ "my_best", true, "marked", BEST, NO, NO, NO, "my_best/" },
		{ "last", true, "marked", LAST, NO, NO, NO, "last/" },
		{ "release", true, "megatron", CKPT_ROLE_PRETRAINED, NO, NO, NO, "release/" },
		{ "step5.old", true, "marked", SUPERSEDED, 5, NO, NO, "step#.old/" },
	};
	struct ckpt_name got;

	(void)state;
	for (size_t i = 0; i < sizeof(marked) / sizeof(marked[0]); i++) {
		print_message("%s\n", marked[i].name);
		assert_int_equal(ckpt_name_marked(marked[i].name, &got), 0);
		check_parsed(&marked[i], &got);
	}
	assert_int_equal(ckpt_name_marked("step5.tmp", &got), CKPT_NAME_NONE);
	assert_int_equal(ckpt_name_marked("backup", &got), CKPT_NAME_NONE);
	assert_int_equal(ckpt_name_marked("x_12", &got), CKPT_NAME_NONE);
	assert_int_equal(ckpt_name_marked("global_step5_universal", &got), CKPT_NAME_NONE);
	assert_int_equal(ckpt_name_marked("step5_optim", &got), CKPT_NAME_NONE);
}

/* Names that say too little: only with what such a directory always holds. */
static void test_names__directories_that_must_hold_something(void **state)
{
	static const char *const names[] = { "500", "run7_1200", "version_3",
					     "ab12cd34-8a0d-4f4e-9a51-5c6d7e8f9a0b" };
	struct ckpt_name name;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(ckpt_name_parse(names[i], true, &name, &why), 0);
		assert_non_null(name.holds);
	}
	assert_int_equal(ckpt_name_parse("checkpoint-500", true, &name, &why), 0);
	assert_null(name.holds);
}

static void test_names__flags(void **state)
{
	struct ckpt_name got;
	const char *why;

	(void)state;
	assert_int_equal(ckpt_name_parse("model.safetensors", false, &got, &why), 0);
	assert_true(got.top_only && got.mistakable);
	assert_int_equal(ckpt_name_parse("last.pt", false, &got, &why), 0);
	assert_true(!got.top_only && got.mistakable);
	assert_int_equal(ckpt_name_parse("checkpoint-5", true, &got, &why), 0);
	assert_true(!got.top_only && !got.mistakable);
}

static void test_names__pattern(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "a*b", "ab", true },
		{ "a*b", "axxb", true },
		{ "a*b", "axx", false },
		{ "?", "", false },
		{ "??", "ab", true },
		{ "(a|bc)d", "bcd", true },
		{ "(a|ab)b", "abb", true },
		{ "(a|b)", "c", false },
		{ "a~b", "a-b", true },
		{ "a~b", "ab", true },
		{ "a~b", "a--b", false },
		{ "<a", "a", true },
		{ "*<a", "xa", false },
		{ "*<a", "x-a", true },
		{ "a>*", "ab", false },
		{ "{n}", "12", true },
		{ "{n2}", "123", false },
		{ "*{n}", "a12", true },
		{ "*{n1}", "12", false },
		{ "{n}{n}", "12", false },
		{ "{n}", "x", false },
		{ "[xy](ab|xz)", "xz", true },
		{ "[y](ab|xz)", "xz", false },
		{ "*<[x]x{n}", "a-x1", true },
		{ "*[]", "a", false },
		{ "{a}.{b}.{c}.{d}", "1.2.3.4", true },
		{ "{a}.{b}.{c}.{d}.{e}", "1.2.3.4.5", false },
	};
	struct ckpt_pattern_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s on %s\n", cases[i].pattern, cases[i].name);
		assert_true(ckpt_pattern_match(cases[i].pattern, cases[i].name, &m) ==
			    cases[i].matches);
	}
	assert_true(ckpt_pattern_match("*-{s}-*{e}", "a-12-b3-4", &m));
	assert_int_equal(m.n, 2);
	assert_int_equal(m.numbers[0].meaning, 's');
	assert_int_equal(m.numbers[0].begin, 2);
	assert_int_equal(m.numbers[0].end, 4);
	assert_int_equal(m.numbers[1].begin, 8);
}

/* A bound that a regular expression for each row would miss by far; slow builds have ten times as
 * long. */
static void test_names__speed(void **state)
{
	static const char *const shapes[] = { "model_%d.pt",   "epoch=%d-step=7-val_loss=0.1.ckpt",
					      "sample_%d.png", "checkpoint-%d",
					      "shard_%d.bin",  "some-run_epoch_%d.pth",
					      "ckpt-%d.index" };
	clock_t begin = clock();
	struct ckpt_name got;
	const char *why;
	char name[64];
	double ms;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%.*s%d%s", (int)strcspn(shapes[i % 7], "%"),
			 shapes[i % 7], i, strchr(shapes[i % 7], '%') + 2);
		ckpt_name_parse(name, i % 7 == 3, &got, &why);
	}
	ms = (double)(clock() - begin) * 1000 / CLOCKS_PER_SEC;
	print_message("100,000 names: %.0f ms\n", ms);
#ifdef __OPTIMIZE__
	assert_true(ms < 1000);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names__candidates),
		cmocka_unit_test(test_names__no_candidates),
		cmocka_unit_test(test_names__unfinished),
		cmocka_unit_test(test_names__members),
		cmocka_unit_test(test_names__ranks),
		cmocka_unit_test(test_names__no_ranks),
		cmocka_unit_test(test_names__hostile),
		cmocka_unit_test(test_names__user),
		cmocka_unit_test(test_names__marked),
		cmocka_unit_test(test_names__directories_that_must_hold_something),
		cmocka_unit_test(test_names__flags),
		cmocka_unit_test(test_names__pattern),
		cmocka_unit_test(test_names__speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
