/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See determined.h.
 */
#include "core/format/train/determined.h"

#include <string.h>

#include "core/format/train/train_dir.h"

#define METADATA "metadata.json"
#define LOAD_DATA "load_data.json"
#define STATE "state_dict.pth"
#define UUID_LEN 36
#define STEP_MAX 9007199254740992.0 /* 2^53 */

static const struct ckpt_train_row rows[] = {
	{ STATE, CKPT_PART_WEIGHTS, false },
	{ "determined-keras-model", CKPT_PART_WEIGHTS, false },
	{ "determined-keras-model-weights", CKPT_PART_OTHER, false },
	{ "determined-keras-optimizer-weights", CKPT_PART_OTHER, false },
	{ "rng_state_#.pth", CKPT_PART_RNG, false },
	{ NULL, 0, false },
};

static int read_step(struct ckpt_check *check)
{
	static const char *const keys[] = { "steps_completed", "latest_batch" };
	struct ckpt_position *p = &check->report->position;
	struct ckpt_train_state s = { .has_step = false };

	for (size_t i = 0; !s.has_step && i < sizeof(keys) / sizeof(keys[0]); i++) {
		int r = ckpt_train_state_read(check, METADATA, keys[i], "", &s);

		if (r)
			return r;
	}
	if (!s.has_step || s.step < 0 || s.step > STEP_MAX || s.step != (double)(int64_t)s.step)
		return 0; /* a program may keep its own metadata there */
	p->has_step = true;
	p->step = (int64_t)s.step;
	p->step_source = CKPT_FROM_CONTENT;
	return 0;
}

static int check_members(struct ckpt_check *check, enum ckpt_level level)
{
	struct ckpt_train_dir dir;
	int r = ckpt_train_dir_check(check, rows, level, &dir);

	if (r)
		return r;
	return dir.parts & CKPT_PART_WEIGHTS ? 0 : ckpt_train_dir_lacks(check, STATE);
}

/* How the trial is made anew (_pytorch_trial.py, _save()); whatever it says, its JSON closes. */
static int check_load_data(struct ckpt_check *check)
{
	struct ckpt_train_state ignored = { .has_step = false };

	if (!ckpt_dir_has(check->dirfd, LOAD_DATA))
		return 0;
	return ckpt_train_state_read(check, LOAD_DATA, "", "", &ignored);
}

static int determined_structure(struct ckpt_check *check)
{
	struct ckpt_report own = { .contents = CKPT_CONTENTS_UNKNOWN };
	int r = read_step(check);

	if (!r)
		r = check_load_data(check);
	if (!r)
		r = check_members(check, CKPT_LEVEL_STRUCTURE);
	if (!r && ckpt_dir_has(check->dirfd, STATE))
		r = ckpt_check_member(check, STATE, CKPT_LEVEL_STRUCTURE,
				      CKPT_PROBLEM_MEMBER_MISSING, &own);
	check->report->contents = own.contents;
	return r;
}

static int determined_content(struct ckpt_check *check)
{
	return check_members(check, CKPT_LEVEL_FULL);
}

/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx */
static bool is_uuid(const char *name)
{
	static const char hex[] = "0123456789abcdef";

	if (strlen(name) != UUID_LEN)
		return false;
	for (size_t i = 0; i < UUID_LEN; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? name[i] != '-' : !strchr(hex, name[i]))
			return false;
	}
	return true;
}

/* By name and a member that only Determined's trials write; the name alone is any program's. */
static bool determined_sniff(const struct ckpt_check *check)
{
	return is_uuid(ckpt_train_dir_name(check)) &&
	       (ckpt_dir_has(check->dirfd, STATE) ||
		ckpt_dir_has(check->dirfd, "determined-keras-model"));
}

const struct ckpt_format ckpt_format_determined = {
	.name = "determined",
	.title = "Determined checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the members lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = determined_sniff,
	.structure = determined_structure,
	.content = determined_content,
};
