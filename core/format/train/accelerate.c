/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See accelerate.h. The `step` in accelerate's own files counts accumulation, not progress; kohya's
 * train_state.json holds the running epoch (from 1; at an epoch's end the one just done) and the
 * step, and is written first, so that it proves nothing (sd-scripts, train_network.py).
 */
#include "core/format/train/accelerate.h"

#include <stdio.h>
#include <string.h>

#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define STATE "train_state.json"
#define NUMBER_MAX 9007199254740992.0 /* 2^53 */

static const struct ckpt_train_row rows[] = {
	{ "model.safetensors", CKPT_PART_WEIGHTS, false },
	{ "model_#.safetensors", CKPT_PART_WEIGHTS, false },
	{ "model.safetensors.index.json", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model_#.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model.bin.index.json", CKPT_PART_WEIGHTS, false },
	{ "model_#.safetensors.index.json", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model_#.bin.index.json", CKPT_PART_WEIGHTS, false },
	{ "pytorch_lora_weights.safetensors", CKPT_PART_WEIGHTS, false },
	{ "pytorch_lora_weights.bin", CKPT_PART_WEIGHTS, false },
	{ "adapter_model.safetensors", CKPT_PART_WEIGHTS, false },
	{ "optimizer.bin", CKPT_PART_OPTIMIZER, false },
	{ "optimizer_#.bin", CKPT_PART_OTHER, false },
	{ "scheduler.bin", CKPT_PART_SCHEDULER, false },
	{ "scheduler_#.bin", CKPT_PART_OTHER, false },
	{ "sampler.bin", CKPT_PART_OTHER, false },
	{ "sampler_#.bin", CKPT_PART_OTHER, false },
	{ "scaler.pt", CKPT_PART_OTHER, false },
	{ "random_states_#.pkl", CKPT_PART_RNG, false },
	{ "custom_checkpoint_#.pkl", CKPT_PART_OTHER, false },
	/* FSDP, whole and by ranks, and DeepSpeed: files and directories of their own formats. */
	{ "pytorch_model_fsdp.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model_fsdp_#.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model_fsdp_rank#.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model_fsdp_#", CKPT_PART_WEIGHTS, true },
	{ "optimizer_#", CKPT_PART_OPTIMIZER, true },
	{ "pytorch_model", CKPT_PART_WEIGHTS | CKPT_PART_OPTIMIZER, true },
	{ "pytorch_model_#", CKPT_PART_WEIGHTS | CKPT_PART_OPTIMIZER, true },
	{ NULL, 0, false },
};

static int check_members(struct ckpt_check *check, enum ckpt_level level)
{
	struct ckpt_train_dir dir;
	char lacking[48];
	int r = ckpt_train_dir_check(check, rows, level, &dir);

	if (r)
		return r;
	if (!(dir.parts & CKPT_PART_WEIGHTS))
		return ckpt_train_dir_lacks(check, "model weights");
	if (!(dir.parts & CKPT_PART_OPTIMIZER))
		return ckpt_train_dir_lacks(check, "optimizer.bin");
	if (!dir.n_rng || dir.first_gap < dir.n_rng) {
		snprintf(lacking, sizeof(lacking), "random_states_%llu.pkl",
			 (unsigned long long)dir.first_gap);
		return ckpt_train_dir_lacks(check, lacking);
	}
	check->report->contents = CKPT_CONTENTS_FULL;
	return 0;
}

/* What an epoch means is in the name: NAME-000003-state is an epoch's end, NAME-step00000900-state
 * within one. */
static enum ckpt_meaning meaning_of(const char *name)
{
	size_t len = strlen(name), digits = 0, end = len - strlen("-state");

	if (!ckpt_text_ends(name, "-state"))
		return CKPT_EPOCH_UNKNOWN;
	while (digits < end && name[end - digits - 1] >= '0' && name[end - digits - 1] <= '9')
		digits++;
	if (digits == 8 && end >= 13 && !strncmp(name + end - 13, "-step", 5))
		return CKPT_EPOCH_NEXT;
	if (digits == 6 && end >= 7 && name[end - 7] == '-')
		return CKPT_EPOCH_COMPLETED;
	return CKPT_EPOCH_UNKNOWN;
}

static bool is_count(double v)
{
	return v >= 0 && v <= NUMBER_MAX && v == (double)(int64_t)v;
}

/* kohya's file, where there is one. */
static int read_state(struct ckpt_check *check)
{
	struct ckpt_position *p = &check->report->position;
	struct ckpt_train_state s = { .has_step = false };
	int r = 0;

	if (!ckpt_dir_lacks(check->dirfd, STATE))
		r = ckpt_train_state_read(check, STATE, "current_step", "current_epoch", &s);
	if (r)
		return r;
	if (s.has_step && is_count(s.step)) {
		p->has_step = true;
		p->step = (int64_t)s.step;
		p->step_source = CKPT_FROM_CONTENT;
	}
	if (s.has_epoch && is_count(s.epoch)) {
		p->has_epoch = true;
		p->epoch = s.epoch;
		p->epoch_source = CKPT_FROM_CONTENT;
		p->meaning = meaning_of(ckpt_train_dir_name(check));
	}
	return 0;
}

static int accelerate_structure(struct ckpt_check *check)
{
	int r = read_state(check);

	return r ? r : check_members(check, CKPT_LEVEL_STRUCTURE);
}

static int accelerate_content(struct ckpt_check *check)
{
	return check_members(check, CKPT_LEVEL_FULL);
}

/* Files or names that only save_state() writes; the HF Trainer, which has a state file of its own,
 * is not meant. */
static bool accelerate_sniff(const struct ckpt_check *check)
{
	static const char *const marks[] = { "random_states_0.pkl", "optimizer.bin", STATE };
	const char *name = ckpt_train_dir_name(check);
	int64_t number;

	if (ckpt_dir_has(check->dirfd, "trainer_state.json"))
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (ckpt_dir_has(check->dirfd, marks[i]))
			return true;
	return ckpt_text_ends(name, "-state") ||
	       (ckpt_train_dir_numbered(name, "checkpoint_", &number) &&
		(ckpt_dir_has(check->dirfd, "model.safetensors") ||
		 ckpt_dir_has(check->dirfd, "pytorch_model.bin")));
}

const struct ckpt_format ckpt_format_accelerate = {
	.name = "accelerate",
	.title = "accelerate save_state (kohya, diffusers)",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the members lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = accelerate_sniff,
	.structure = accelerate_structure,
	.content = accelerate_content,
};
