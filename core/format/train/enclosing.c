/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See enclosing.h. What is needed: nemo/lightning/io/pl.py and megatron/core/dist_checkpointing;
 * olmo_core/train/checkpoint.py, load() and dir_is_checkpoint().
 */
#include "core/format/train/enclosing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/format/train/shards.h"

#define WEIGHTS "weights"
#define WEIGHTS_END WEIGHTS "/metadata.json"
#define WEIGHTS_COMMON WEIGHTS "/common.pt"
#define STATE "model_and_optim"
#define STATE_END ".metadata.json"
#define LOOP "train"
#define LOOP_FIRST LOOP "/rank0.pt"

static const struct ckpt_shard_row loop_rows[] = { { "rank#.pt", 0 }, { NULL, 0 } };

static int lacks(struct ckpt_check *check, const char *name)
{
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing: the save did not finish"));
}

static void take(struct ckpt_report *report, const struct ckpt_report *from)
{
	report->position = from->position;
	report->contents = from->contents;
	report->n_keys = from->n_keys;
	report->keys_cut = from->keys_cut;
	memcpy(report->keys, from->keys, sizeof(report->keys));
	memcpy(report->framework, from->framework, sizeof(report->framework));
}

/* Checks the state in @folder; *@own is told of it. */
static int check_state(struct ckpt_check *check, const char *folder, enum ckpt_level level,
		       struct ckpt_report *own)
{
	bool known = false;
	int r = ckpt_check_folder(check, folder, level, &known, own);

	if (r || known)
		return r;
	return lacks(check, folder);
}

static int check_nemo(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	if (ckpt_dir_lacks(check->dirfd, WEIGHTS_END))
		return lacks(check, WEIGHTS_END);
	r = check_state(check, WEIGHTS, level, own);
	if (r == 0)
		take(check->report, own);
	return r;
}

/* Every rank takes its own file, or the first one's where it has none. */
static int check_loops(struct ckpt_check *check, enum ckpt_level level, struct ckpt_report *own)
{
	_cleanup_close_ int fd = ckpt_dir_open(check->dirfd, LOOP, check->err);
	_cleanup_shards_ struct ckpt_shards ranks = { .n = 0 };
	struct ckpt_check inside = *check;
	char path[128];
	int r;

	if (fd < 0)
		return fd;
	inside.dirfd = fd;
	r = ckpt_shards_list(&inside, loop_rows, &ranks);
	for (size_t i = 0; r == 0 && i < ranks.n; i++) {
		snprintf(path, sizeof(path), LOOP "/%s", ranks.list[i].name);
		r = ckpt_shard_check(check, path, level, own);
		if (r == 0 && i == 0)
			take(check->report, own);
	}
	return r;
}

/* The last file that is written says nothing that is needed, but must be a whole document. */
static int check_end(struct ckpt_check *check)
{
	_cleanup_json_ cJSON *json = NULL;
	int r = ckpt_json_load(check->ctx, check->dirfd, STATE_END, &json, check->err);

	if (r == -ENOENT)
		return lacks(check, STATE_END);
	if (r <= 0)
		return r;
	return ckpt_check_blame(check, STATE_END,
				ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED,
						  CKPT_NO_OFFSET, NULL,
						  "it is no whole JSON document"));
}

static int check_olmo(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	if (ckpt_dir_lacks(check->dirfd, LOOP_FIRST))
		return lacks(check, LOOP_FIRST);
	r = check_end(check);
	if (r == 0)
		r = check_state(check, STATE, level, own);
	if (r == 0)
		r = check_loops(check, level, own);
	if (r == 0)
		check->report->contents = CKPT_CONTENTS_FULL;
	return r;
}

static int nemo_structure(struct ckpt_check *check)
{
	return check_nemo(check, CKPT_LEVEL_STRUCTURE);
}

static int nemo_content(struct ckpt_check *check)
{
	return check_nemo(check, CKPT_LEVEL_FULL);
}

/* What Megatron-Core writes first into the folder, and last. */
static bool nemo_sniff(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, WEIGHTS_COMMON) ||
	       ckpt_dir_has(check->dirfd, WEIGHTS_END);
}

static int olmo_structure(struct ckpt_check *check)
{
	return check_olmo(check, CKPT_LEVEL_STRUCTURE);
}

static int olmo_content(struct ckpt_check *check)
{
	return check_olmo(check, CKPT_LEVEL_FULL);
}

static bool olmo_sniff(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, STATE);
}

const struct ckpt_format ckpt_format_nemo = {
	.name = "nemo",
	.title = "NeMo 2 checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the state lowers it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = nemo_sniff,
	.structure = nemo_structure,
	.content = nemo_content,
};

const struct ckpt_format ckpt_format_olmo = {
	.name = "olmo",
	.title = "OLMo-core step",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the state lowers it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = olmo_sniff,
	.structure = olmo_structure,
	.content = olmo_content,
};
