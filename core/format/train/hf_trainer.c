/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See hf_trainer.h.
 */
#include "core/format/train/hf_trainer.h"

#include <stdio.h>
#include <string.h>

#include "core/format/train/train_dir.h"

#define STATE "trainer_state.json"
#define STEP_MAX 9007199254740992.0 /* 2^53 */

static const struct ckpt_train_row rows[] = {
	{ "model.safetensors", CKPT_PART_WEIGHTS, false },
	{ "model.safetensors.index.json", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model.bin", CKPT_PART_WEIGHTS, false },
	{ "pytorch_model.bin.index.json", CKPT_PART_WEIGHTS, false },
	{ "adapter_model.safetensors", CKPT_PART_WEIGHTS, false },
	{ "adapter_model.bin", CKPT_PART_WEIGHTS, false },
	{ "optimizer.pt", CKPT_PART_OPTIMIZER, false },
	{ "optimizer.bin", CKPT_PART_OPTIMIZER, false },
	{ "scheduler.pt", CKPT_PART_SCHEDULER, false },
	{ "scaler.pt", CKPT_PART_OTHER, false },
	{ "rng_state.pth", CKPT_PART_RNG, false },
	{ "rng_state_#.pth", CKPT_PART_RNG, false },
	{ "training_args.bin", CKPT_PART_OTHER, false },
	/* DeepSpeed and FSDP keep theirs in directories of their own formats. */
	{ "global_step#",
	  CKPT_PART_WEIGHTS | CKPT_PART_OPTIMIZER | CKPT_PART_SCHEDULER | CKPT_PART_TAGGED, true },
	{ "pytorch_model_fsdp_#", CKPT_PART_WEIGHTS, true },
	{ "pytorch_model_fsdp.bin", CKPT_PART_WEIGHTS, false },
	{ "optimizer_#", CKPT_PART_OPTIMIZER, true },
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
	if (dir.parts & CKPT_PART_TAGGED)
		r = ckpt_train_dir_latest(check);
	if (r)
		return r;
	if (dir.first_gap < dir.n_rng) {
		snprintf(lacking, sizeof(lacking), "rng_state_%llu.pth",
			 (unsigned long long)dir.first_gap);
		return ckpt_train_dir_lacks(check, lacking);
	}
	check->report->contents = dir.parts & CKPT_PART_OPTIMIZER && dir.parts & CKPT_PART_SCHEDULER
					  ? CKPT_CONTENTS_FULL
					  : CKPT_CONTENTS_WEIGHTS;
	return 0;
}

static void set_position(struct ckpt_position *p, const struct ckpt_train_state *s)
{
	p->has_step = true;
	p->step = (int64_t)s->step;
	p->step_source = CKPT_FROM_CONTENT;
	if (s->has_epoch && s->epoch >= 0) {
		p->has_epoch = true;
		p->epoch = s->epoch;
		p->meaning = CKPT_EPOCH_FRACTION;
		p->epoch_source = CKPT_FROM_CONTENT;
	}
	if (s->has_loss) {
		p->has_loss = true;
		p->loss = s->loss;
		memcpy(p->loss_key, s->loss_key, sizeof(p->loss_key));
	}
}

/* The content decides; a name that says otherwise is worth a remark. */
static void compare_name(struct ckpt_check *check, int64_t step)
{
	int64_t number;

	if (ckpt_train_dir_numbered(ckpt_train_dir_name(check), "checkpoint-", &number) &&
	    number != step)
		ckpt_check_remark(check, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET,
				  "its name says step %lld, but its " STATE " says %lld",
				  (long long)number, (long long)step);
}

static int hf_structure(struct ckpt_check *check)
{
	struct ckpt_train_state s = { .has_step = false };
	int r = ckpt_train_state_read(check, STATE, "global_step", "epoch", &s);

	if (r)
		return r;
	if (!s.has_step || s.step < 0 || s.step > STEP_MAX || s.step != (double)(int64_t)s.step)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, CKPT_NO_OFFSET,
					 STATE, "it holds no global_step");
	set_position(&check->report->position, &s);
	r = check_members(check, CKPT_LEVEL_STRUCTURE);
	if (!r)
		compare_name(check, (int64_t)s.step);
	return r;
}

static int hf_content(struct ckpt_check *check)
{
	return check_members(check, CKPT_LEVEL_FULL);
}

/* Its state file; or its name alone, for a directory that was never finished. */
static bool hf_sniff(const struct ckpt_check *check)
{
	int64_t number;

	return ckpt_dir_has(check->dirfd, STATE) ||
	       ckpt_train_dir_numbered(ckpt_train_dir_name(check), "checkpoint-", &number);
}

const struct ckpt_format ckpt_format_hf_trainer = {
	.name = "hf-trainer",
	.title = "Hugging Face Trainer checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the members lower it */
	.epoch_meaning = CKPT_EPOCH_FRACTION,
	.sniff = hf_sniff,
	.structure = hf_structure,
	.content = hf_content,
};
