/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See megatron.h. Names and order of writing: megatron/training/checkpointing.py and
 * megatron/core/dist_checkpointing.
 */
#include "core/format/train/megatron.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/format/torch/dcp.h"
#include "core/format/torch/dcp_names.h"
#include "core/format/train/integrity_json.h"
#include "core/format/train/shards.h"
#include "core/format/train/train_dir.h"
#include "wire/text.h"

#define MODEL "model_optim_rng.pt"
#define OPTIM "distrib_optim.pt"
#define APART_MODEL "model_rng.pt" /* the first form with a distributed optimizer: */
#define APART_OPTIM "optim.pt"	   /* it has folders of its own, one a data-parallel rank more */
#define METADATA "metadata.json"
#define COMMON "common.pt"

/* TP: tensor-parallel rank alone; PP, EP: with the pipeline's and the experts' too. Without a
 * pipeline the experts' rank has the pipeline's place. */
enum { TP, PP, EP };

static const struct ckpt_shard_row rows[] = {
	{ "mp_rank_#", TP },
	{ "mp_rank_#_#", PP },
	{ "mp_rank_#_#_#", EP },
	{ NULL, 0 },
};

static const struct ckpt_shard_row data_rows[] = { { "__#_#.distcp", 0 }, { NULL, 0 } };

/* Distinct kinds do not mix: the job had one layout of ranks. */
static uint8_t layout_of(const struct ckpt_shards *shards)
{
	return shards->n ? shards->list[shards->n - 1].kind : TP;
}

static void rank_name(char *name, size_t size, uint8_t kind, const uint64_t *no)
{
	unsigned long long t = no[0], p = no[1], e = no[2];

	if (kind == TP)
		snprintf(name, size, "mp_rank_%02llu", t);
	else if (kind == PP)
		snprintf(name, size, "mp_rank_%02llu_%03llu", t, p);
	else
		snprintf(name, size, "mp_rank_%02llu_%03llu_%03llu", t, p, e);
}

static bool has_experts(uint8_t kind, const struct ckpt_world *world)
{
	return kind == EP || (kind == PP && world->pp == 1);
}

/* Rejects where @kind has not all the folders of the grid @dims. */
static int check_grid(struct ckpt_check *check, const struct ckpt_shards *shards, uint8_t kind,
		      const uint64_t dims[CKPT_SHARD_NUMBERS])
{
	uint64_t gap[CKPT_SHARD_NUMBERS];
	char name[96];

	if (!ckpt_shards_gap(shards, kind, dims, gap, NULL))
		return 0;
	rank_name(name, sizeof(name), kind, gap);
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_SHARD_MISSING, CKPT_NO_OFFSET, NULL,
						  "the folder of this rank is missing"));
}

static int check_ranks(struct ckpt_check *check, const struct ckpt_shards *shards,
		       const struct ckpt_world *world)
{
	uint8_t kind = layout_of(shards);
	const uint64_t tp = (uint64_t)world->tp, pp = (uint64_t)world->pp;
	/* older arguments have a flag for experts alone: then as many as there are */
	const uint64_t ep = world->ep > 1 ? (uint64_t)world->ep : 0;
	const uint64_t second = kind == TP ? 1 : kind == PP && world->pp == 1 ? ep : pp;
	const uint64_t dims[CKPT_SHARD_NUMBERS] = { tp, second, kind == EP ? ep : 1 };

	return check_grid(check, shards, kind, dims);
}

/* Checks one rank's @file; its folder stands in the name. */
static int check_file(struct ckpt_check *check, const char *folder, const char *file,
		      enum ckpt_level level, struct ckpt_report *ret)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return ckpt_shard_check(check, path, level, ret);
}

static int compare_step(struct ckpt_check *check, const char *folder,
			const struct ckpt_report *first, const struct ckpt_report *own)
{
	if (!first->position.has_step || !own->position.has_step ||
	    first->position.step == own->position.step)
		return 0;
	return ckpt_check_blame(
		check, folder,
		ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET,
				  NULL, "it is of iteration %lld, the first rank's of %lld",
				  (long long)own->position.step, (long long)first->position.step));
}

static bool has_file(const struct ckpt_check *check, const char *folder, const char *file)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	return ckpt_dir_has(check->dirfd, path);
}

static bool has_optimizer(const struct ckpt_check *check, const char *folder)
{
	return has_file(check, folder, OPTIM);
}

/* Whether the optimizer is kept apart: then by each rank, experts' aside, which share theirs. */
static bool optimizer_apart(const struct ckpt_check *check, const struct ckpt_shards *shards)
{
	for (size_t i = 0; i < shards->n; i++)
		if (has_optimizer(check, shards->list[i].name))
			return true;
	return false;
}

static int check_rank(struct ckpt_check *check, const struct ckpt_shard *shard, bool optimizer,
		      enum ckpt_level level, struct ckpt_report *reports)
{
	struct ckpt_report *own = reports[0].format ? &reports[1] : &reports[0];
	int r = check_file(check, shard->name, MODEL, level, own);

	if (r == 0)
		r = compare_step(check, shard->name, &reports[0], own);
	if (r == 0 && optimizer &&
	    (!has_experts(shard->kind, &reports[0].world) || has_optimizer(check, shard->name)))
		r = check_file(check, shard->name, OPTIM, level, &reports[1]);
	return r;
}

static void take(struct ckpt_report *report, const struct ckpt_report *from)
{
	report->position = from->position;
	report->contents = from->contents;
	report->world = from->world;
	report->n_keys = from->n_keys;
	report->keys_cut = from->keys_cut;
	memcpy(report->keys, from->keys, sizeof(report->keys));
}

static int check_legacy(struct ckpt_check *check, const struct ckpt_shards *shards,
			enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *reports = calloc(2, sizeof(*reports));
	bool optimizer = optimizer_apart(check, shards);
	int r = 0;

	if (!reports)
		return ckpt_fail(check->err, -ENOMEM, "no memory for reports");
	for (size_t i = 0; r == 0 && i < shards->n; i++)
		r = check_rank(check, &shards->list[i], optimizer, level, reports);
	if (r == 0)
		r = check_ranks(check, shards, &reports[0].world);
	if (r)
		return r;
	take(check->report, &reports[0]);
	if (optimizer)
		check->report->contents = CKPT_CONTENTS_FULL;
	return 0;
}

/* Whether model and optimizer are in folders apart, as in the versions before core
 * (get_checkpoint_names() of tag 23.04). */
static bool folders_apart(const struct ckpt_check *check, const struct ckpt_shards *shards)
{
	for (size_t i = 0; i < shards->n; i++)
		if (has_file(check, shards->list[i].name, APART_MODEL) ||
		    has_file(check, shards->list[i].name, APART_OPTIM))
			return true;
	return false;
}

/* The kind of the folders with the model: those with the optimizer have a number more. */
static uint8_t kind_of_models(const struct ckpt_check *check, const struct ckpt_shards *shards)
{
	for (size_t i = 0; i < shards->n; i++)
		if (has_file(check, shards->list[i].name, APART_MODEL))
			return shards->list[i].kind;
	return shards->kinds & 1U << TP ? TP : PP;
}

static int check_one_apart(struct ckpt_check *check, const struct ckpt_shard *shard, uint8_t models,
			   enum ckpt_level level, struct ckpt_report *reports)
{
	struct ckpt_report *own = reports[0].format ? &reports[1] : &reports[0];
	int r;

	if (shard->kind != models)
		return check_file(check, shard->name, APART_OPTIM, level, &reports[1]);
	r = check_file(check, shard->name, APART_MODEL, level, own);
	return r ? r : compare_step(check, shard->name, &reports[0], own);
}

/* All ranks of the model, and where an optimizer was saved, all of it too. */
static int check_ranks_apart(struct ckpt_check *check, const struct ckpt_shards *shards,
			     uint8_t models, const struct ckpt_world *world)
{
	const uint64_t tp = (uint64_t)world->tp, dp = (uint64_t)world->dp;
	const uint64_t pp = models == TP ? 1 : (uint64_t)world->pp;
	const uint64_t model[CKPT_SHARD_NUMBERS] = { tp, pp, 1 };
	const uint64_t optim[CKPT_SHARD_NUMBERS] = { tp, models == TP ? dp : pp,
						     models == TP ? 1 : dp };
	int r = check_grid(check, shards, models, model);

	if (r || !ckpt_shards_first(shards, models + 1))
		return r;
	check->report->contents = CKPT_CONTENTS_FULL;
	return check_grid(check, shards, models + 1, optim);
}

static int check_apart(struct ckpt_check *check, const struct ckpt_shards *shards,
		       enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *reports = calloc(2, sizeof(*reports));
	uint8_t models = kind_of_models(check, shards);
	int r = 0;

	if (!reports)
		return ckpt_fail(check->err, -ENOMEM, "no memory for reports");
	for (size_t i = 0; r == 0 && i < shards->n; i++)
		r = check_one_apart(check, &shards->list[i], models, level, reports);
	if (r)
		return r;
	take(check->report, &reports[0]);
	return check_ranks_apart(check, shards, models, &reports[0].world);
}

static int lacks(struct ckpt_check *check, const char *name)
{
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_MEMBER_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing: the save did not finish"));
}

/* metadata.json is written when all data are. *@ret_known: its backend is one that is checked. */
static int check_metadata(struct ckpt_check *check, bool *ret_known)
{
	_cleanup_json_ cJSON *json = NULL;
	const char *backend;
	int r = ckpt_json_load(check->ctx, check->dirfd, METADATA, &json, check->err);

	if (r == -ENOENT)
		return lacks(check, METADATA);
	if (r < 0)
		return r;
	backend = r ? NULL : ckpt_json_text(json, "sharded_backend");
	if (!backend)
		return ckpt_check_blame(
			check, METADATA,
			ckpt_check_reject(check, CKPT_INCOMPLETE,
					  r ? CKPT_PROBLEM_TRUNCATED : CKPT_PROBLEM_HEADER,
					  CKPT_NO_OFFSET, NULL,
					  "it is no whole JSON document with a "
					  "sharded_backend"));
	*ret_known = strcmp(backend, "torch_dist") == 0 || strcmp(backend, "fsdp_dtensor") == 0;
	if (!*ret_known)
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "backend %.40s is not looked into",
			       backend);
	return 0;
}

/* Older versions keep what is not sharded apart; it tells iteration and arguments. */
static int check_common(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	int r;

	if (ckpt_dir_lacks(check->dirfd, COMMON))
		return 0;
	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	r = ckpt_shard_check(check, COMMON, level, own);
	if (r == 0) {
		take(check->report, own);
		check->report->contents = CKPT_CONTENTS_UNKNOWN; /* the rest is in the shards */
	}
	return r;
}

/* All files of a distributed checkpoint that the digests cover need no other look at their bytes.
 */
static int check_digests(struct ckpt_check *check, enum ckpt_level *level)
{
	_cleanup_shards_ struct ckpt_shards data = { .n = 0 };
	struct ckpt_integrity_counts counts;
	int r = ckpt_integrity_json_check(check, &counts);

	if (r == 0 && counts.found)
		r = ckpt_shards_list(check, data_rows, &data);
	if (r == 0 && counts.found && data.n && counts.n_distcp >= data.n)
		*level = CKPT_LEVEL_STRUCTURE;
	return r;
}

static int check_distributed(struct ckpt_check *check, enum ckpt_level level)
{
	enum ckpt_level data = level;
	bool known = false;
	int r = check_metadata(check, &known);

	if (r)
		return r;
	if (level >= CKPT_LEVEL_FULL)
		r = check_digests(check, &data);
	if (r || !known) /* digests need no knowledge of the backend */
		return r;
	r = ckpt_dcp_check(check, data);
	return r ? r : check_common(check, level);
}

static void compare_name(struct ckpt_check *check)
{
	const struct ckpt_position *p = &check->report->position;
	struct ckpt_shard name;

	if (p->has_step && ckpt_shard_match(ckpt_train_dir_name(check), "iter_#", &name) &&
	    (int64_t)name.no[0] != p->step)
		ckpt_check_remark(check, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET,
				  "its name says iteration %llu, its content %lld",
				  (unsigned long long)name.no[0], (long long)p->step);
}

static int check_directory(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_shards_ struct ckpt_shards shards = { .n = 0 };
	int r = ckpt_shards_list(check, rows, &shards);

	if (r)
		return r;
	if (shards.n && folders_apart(check, &shards))
		r = check_apart(check, &shards, level);
	else if (shards.n)
		r = check_legacy(check, &shards, level);
	else if (ckpt_dcp_is(check) || ckpt_dir_has(check->dirfd, METADATA))
		r = check_distributed(check, level);
	else
		r = lacks(check, METADATA);
	if (r == 0)
		compare_name(check);
	return r;
}

static int megatron_structure(struct ckpt_check *check)
{
	return check_directory(check, CKPT_LEVEL_STRUCTURE);
}

static int megatron_content(struct ckpt_check *check)
{
	return check_directory(check, CKPT_LEVEL_FULL);
}

/* Its name, for one that was never finished too; or the marks of either form. */
static bool megatron_sniff(const struct ckpt_check *check)
{
	const char *name = ckpt_train_dir_name(check);
	struct ckpt_shard number;

	/* others' numbers have fewer than its seven digits */
	if (ckpt_shard_match(name, "iter_#", &number) && strlen(name) >= sizeof("iter_0000000") - 1)
		return true;
	return ckpt_dir_has(check->dirfd, "mp_rank_00") ||
	       ckpt_dir_has(check->dirfd, "mp_rank_00_000") ||
	       ckpt_dir_has(check->dirfd, "mp_rank_00_000_000") ||
	       (ckpt_dir_has(check->dirfd, METADATA) && ckpt_dcp_is(check));
}

const struct ckpt_format ckpt_format_megatron = {
	.name = "megatron",
	.title = "Megatron-LM iteration",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the members lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = megatron_sniff,
	.structure = megatron_structure,
	.content = megatron_content,
	.at = ckpt_dcp_at, /* the tensors of torch_dist */
};
