/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See deepspeed.h. The first model shard tells how many ranks there were (dp_world_size,
 * mp_world_size) and the step; the names are those of deepspeed/runtime/engine.py.
 */
#include "core/format/train/deepspeed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/format/torch/dcp.h"
#include "core/format/train/shards.h"
#include "core/format/train/train_dir.h"

/* MODEL: one a model-parallel rank; ZERO3 and OPTIM: one a data-parallel and model-parallel rank.
 */
enum { MODEL, ZERO3, OPTIM, LAYER, EXPERT, EXPERT_OLD, EXPERT_OPTIM };

static const struct ckpt_shard_row rows[] = {
	{ "mp_rank_#_model_states.pt", MODEL },
	{ "zero_pp_rank_#_mp_rank_#_model_states.pt", ZERO3 },
	{ "zero_pp_rank_#_mp_rank_#_optim_states.pt", OPTIM },
	{ "bf16_zero_pp_rank_#_mp_rank_#_optim_states.pt", OPTIM },
	{ "fp16_zero_pp_rank_#_mp_rank_#_optim_states.pt", OPTIM },
	{ "layer_#-model_#-model_states.pt", LAYER },
	{ "layer_#-model_states.pt", LAYER }, /* a topology without an axis "model" */
	{ "layer_#_expert_#_mp_rank_#_model_states.pt", EXPERT },
	{ "expert_#_mp_rank_#_model_states.pt", EXPERT_OLD },
	{ "expp_rank_#_mp_rank_#_optim_states.pt", EXPERT_OPTIM },
	{ NULL, 0 },
};

#define UNIVERSAL "zero"
#define TAG "checkpoint" /* Lightning's, in a directory for each save (strategies/deepspeed.py) */
#define BIT(kind) (1U << (kind))

/* The name that the missing one has: of the optimizer's, the commonest of the three. */
static void name_missing(char *name, size_t size, uint8_t kind, const uint64_t *no)
{
	unsigned long long a = no[0], b = no[1];

	switch (kind) {
	case MODEL:
		snprintf(name, size, "mp_rank_%02llu_model_states.pt", a);
		break;
	case ZERO3:
		snprintf(name, size, "zero_pp_rank_%llu_mp_rank_%02llu_model_states.pt", a, b);
		break;
	case LAYER:
		snprintf(name, size, "layer_%02llu-model_%02llu-model_states.pt", a, b);
		break;
	case EXPERT:
		snprintf(name, size, "layer_%llu_expert_%llu_mp_rank_%02llu_model_states.pt", a, b,
			 (unsigned long long)no[2]);
		break;
	case EXPERT_OLD:
		snprintf(name, size, "expert_%llu_mp_rank_%02llu_model_states.pt", a, b);
		break;
	case EXPERT_OPTIM:
		snprintf(name, size, "expp_rank_%llu_mp_rank_%02llu_optim_states.pt", a, b);
		break;
	default:
		snprintf(name, size, "zero_pp_rank_%llu_mp_rank_%02llu_optim_states.pt", a, b);
		break;
	}
}

static int lacks(struct ckpt_check *check, uint8_t kind, const uint64_t *no)
{
	char name[96];

	name_missing(name, sizeof(name), kind, no);
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_INCOMPLETE,
						  CKPT_PROBLEM_SHARD_MISSING, CKPT_NO_OFFSET, NULL,
						  "it is missing"));
}

static int check_grid(struct ckpt_check *check, const struct ckpt_shards *shards, uint8_t kind,
		      const struct ckpt_world *world)
{
	const struct ckpt_shard *outside;
	/* MiCS numbers its files by the group that holds a state together (zero/mics.py) */
	const uint64_t mp = (uint64_t)world->mp,
		       dp = (uint64_t)(world->shard > 0 ? world->shard : world->dp);
	const uint64_t model[] = { mp, 1, 1 }, both[] = { dp, mp, 1 }, unknown[] = { 0, mp, 1 };
	const uint64_t *dims = kind == MODEL ? model : kind == EXPERT_OPTIM ? unknown : both;
	uint64_t gap[CKPT_SHARD_NUMBERS];

	if (ckpt_shards_gap(shards, kind, dims, gap, &outside))
		return lacks(check, kind, gap);
	if (outside)
		ckpt_check_remark(check, CKPT_PROBLEM_MEMBER_EXTRA, CKPT_NO_OFFSET,
				  "%s is of a rank that this save did not have", outside->name);
	return 0;
}

/* Counts shards up to the first one that is not in its place: as an expert, and in it as a rank. */
struct place {
	uint64_t no[CKPT_SHARD_NUMBERS];
	uint64_t ranks; /* as many as the highest of any shard of the kind says */
};

/* The rank's place in the numbers of a name: the last one of an expert's and of a layer's. */
static int rank_at(uint8_t kind)
{
	return kind == LAYER ? 1 : 2;
}

static uint64_t count_ranks(const struct ckpt_shards *shards, uint8_t kind)
{
	uint64_t highest = 0;

	for (size_t i = 0; i < shards->n; i++)
		if (shards->list[i].kind == kind && shards->list[i].no[rank_at(kind)] > highest)
			highest = shards->list[i].no[rank_at(kind)];
	return highest + 1;
}

/* Moves on behind the shard that has the place. */
static void next_place(struct place *place, uint8_t kind)
{
	uint64_t *rank = &place->no[rank_at(kind)];

	if (++*rank < place->ranks)
		return;
	*rank = 0;
	place->no[rank_at(kind) - 1]++;
}

/* A layer ends: the next begins where the shard says (pipeline), or is the next (experts). */
static void next_layer(struct place *place, uint8_t kind, uint64_t layer)
{
	place->no[0] = kind == LAYER ? layer : place->no[0] + 1;
	place->no[1] = place->no[2] = 0;
}

/*
 * What no layer lacks: each rank of a layer, each expert below the layer's highest, each of the MoE
 * layers, which are counted. Layers of a pipeline have no file where they have no parameters, and
 * layers may have unlike numbers of experts: what ends early or is missing as a whole is not told.
 * True with @place->no for the first that is missing.
 */
static bool layer_gap(const struct ckpt_shards *shards, uint8_t kind, struct place *place)
{
	const struct ckpt_shard *last = NULL;
	int rank = rank_at(kind);

	place->ranks = count_ranks(shards, kind);
	for (const struct ckpt_shard *s = shards->list; s < shards->list + shards->n; s++) {
		if (s->kind != kind || (last && memcmp(s->no, last->no, sizeof(s->no)) == 0))
			continue;
		if (last && s->no[0] != last->no[0] && place->no[rank] != 0)
			return true;
		if (kind == LAYER ? !last || s->no[0] != place->no[0]
				  : last && s->no[0] != last->no[0])
			next_layer(place, kind, s->no[0]);
		if (memcmp(s->no, place->no, sizeof(s->no)) != 0)
			return true;
		next_place(place, kind);
		last = s;
	}
	return last && place->no[rank] != 0;
}

static int check_layers(struct ckpt_check *check, const struct ckpt_shards *shards)
{
	static const uint8_t kinds[] = { LAYER, EXPERT };

	for (size_t i = 0; i < sizeof(kinds); i++) {
		struct place place = { .ranks = 0 };

		if (layer_gap(shards, kinds[i], &place))
			return lacks(check, kinds[i], place.no);
	}
	return 0;
}

/* A parameter's state in a universal checkpoint; those beside the weights depend on the optimizer.
 */
static int check_parameter(struct ckpt_check *check, const char *name, enum ckpt_level level,
			   struct ckpt_report *scratch)
{
	static const char *const files[] = { "fp32.pt", "exp_avg.pt", "exp_avg_sq.pt" };
	char path[512];
	struct stat st;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), UNIVERSAL "/%.255s/%s", name, files[i]);
		if (i == 0 || fstatat(check->dirfd, path, &st, 0) == 0)
			r = ckpt_shard_check(check, path, level, scratch);
	}
	return r;
}

/*
 * The optimizer's state of a universal checkpoint: a directory a parameter, and what is common to
 * them, which is written behind them (deepspeed/checkpoint/ds_to_universal.py).
 */
static int check_universal(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *scratch = calloc(1, sizeof(*scratch));
	int fd = openat(check->dirfd, UNIVERSAL, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	_cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;

	if (!d || !scratch)
		return ckpt_fail(check->err, -errno, "cannot read " UNIVERSAL ": %s",
				 strerror(errno));
	r = ckpt_shard_check(check, UNIVERSAL "/optimizer_state.pt", level, scratch);
	while (r == 0 && (errno = 0, (e = readdir(d)))) {
		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
		    S_ISDIR(st.st_mode))
			r = check_parameter(check, e->d_name, level, scratch);
	}
	return r || !errno ? r : -errno;
}

static bool is_universal(const struct ckpt_check *check)
{
	struct stat st;

	return fstatat(check->dirfd, UNIVERSAL, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Which shards there must be. ZeRO keeps the optimizer apart, then the model's file has none. */
static int check_ranks(struct ckpt_check *check, const struct ckpt_shards *shards,
		       enum ckpt_level level, const struct ckpt_report *first)
{
	uint8_t model = shards->kinds & BIT(MODEL) ? MODEL : ZERO3;
	uint64_t none[CKPT_SHARD_NUMBERS] = { 0 };
	int r = check_grid(check, shards, model, &first->world);

	if (!r && shards->kinds & BIT(OPTIM))
		r = check_grid(check, shards, OPTIM, &first->world);
	else if (!r && is_universal(check))
		r = check_universal(check, level);
	else if (!r && (model == ZERO3 || first->contents != CKPT_CONTENTS_FULL))
		r = lacks(check, OPTIM, none);
	if (!r && shards->kinds & BIT(EXPERT_OPTIM))
		r = check_grid(check, shards, EXPERT_OPTIM, &first->world);
	return r ? r : check_layers(check, shards);
}

/* A rank whose file is of another step than the first's was left by another save. */
static int compare_step(struct ckpt_check *check, const char *name, const struct ckpt_report *first,
			const struct ckpt_report *own)
{
	const struct ckpt_position *a = &first->position, *b = &own->position;

	if (!a->has_step || !b->has_step || a->step == b->step)
		return 0;
	return ckpt_check_blame(check, name,
				ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_MIXED_SAVES,
						  CKPT_NO_OFFSET, NULL,
						  "it is of step %lld, the first rank's of step "
						  "%lld",
						  (long long)b->step, (long long)a->step));
}

static int check_files(struct ckpt_check *check, const struct ckpt_shards *shards,
		       enum ckpt_level level, const struct ckpt_shard *first,
		       struct ckpt_report *reports)
{
	int r = ckpt_shard_check(check, first->name, level, &reports[0]);

	for (size_t i = 0; r == 0 && i < shards->n; i++) {
		const struct ckpt_shard *shard = &shards->list[i];

		if (shard == first)
			continue;
		r = ckpt_shard_check(check, shard->name, level, &reports[1]);
		if (r == 0)
			r = compare_step(check, shard->name, &reports[0], &reports[1]);
	}
	return r;
}

static void take_first(struct ckpt_report *report, const struct ckpt_report *first)
{
	report->position = first->position;
	report->contents = CKPT_CONTENTS_FULL; /* check_ranks() saw to it */
	report->world = first->world;
	report->n_keys = first->n_keys;
	report->keys_cut = first->keys_cut;
	memcpy(report->keys, first->keys, sizeof(report->keys));
	memcpy(report->framework, first->framework, sizeof(report->framework));
}

static void compare_name(struct ckpt_check *check)
{
	const struct ckpt_position *p = &check->report->position;
	int64_t number;

	if (p->has_step &&
	    ckpt_train_dir_numbered(ckpt_train_dir_name(check), "global_step", &number) &&
	    number != p->step)
		ckpt_check_remark(check, CKPT_PROBLEM_MIXED_SAVES, CKPT_NO_OFFSET,
				  "its name says step %lld, its content %lld", (long long)number,
				  (long long)p->step);
}

/* Files first: what is damaged is said before what is missing. */
static int check_shards(struct ckpt_check *check, const struct ckpt_shards *shards,
			enum ckpt_level level)
{
	const struct ckpt_shard *first = ckpt_shards_first(shards, MODEL);
	_cleanup_free_ struct ckpt_report *reports = calloc(2, sizeof(*reports));
	uint64_t none[CKPT_SHARD_NUMBERS] = { 0 };
	int r;

	if (!reports)
		return ckpt_fail(check->err, -ENOMEM, "no memory for reports");
	first = first ? first : ckpt_shards_first(shards, ZERO3);
	if (!first)
		return lacks(check, MODEL, none);
	r = check_files(check, shards, level, first, reports);
	if (!r)
		r = check_ranks(check, shards, level, &reports[0]);
	if (r)
		return r;
	take_first(check->report, &reports[0]);
	compare_name(check);
	return 0;
}

/* Lightning's directory: it is loaded without a tag, by the pointer. */
static int check_tagged(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_free_ struct ckpt_report *own = calloc(1, sizeof(*own));
	bool known;
	int r = ckpt_train_dir_latest(check);

	if (!own)
		return ckpt_fail(check->err, -ENOMEM, "no memory for a report");
	if (r == 0)
		r = ckpt_check_folder(check, TAG, level, &known, own);
	if (r == 0 && !known)
		ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "%s is not looked into", TAG);
	else if (r == 0)
		take_first(check->report, own);
	return r;
}

/* Whether it is one: its folder has a rank's file. */
static bool is_tagged(const struct ckpt_check *check)
{
	return ckpt_dir_has(check->dirfd, TAG "/mp_rank_00_model_states.pt") ||
	       ckpt_dir_has(check->dirfd, TAG "/zero_pp_rank_0_mp_rank_00_model_states.pt");
}

static int check_directory(struct ckpt_check *check, enum ckpt_level level)
{
	_cleanup_shards_ struct ckpt_shards shards = { .n = 0 };
	int r = ckpt_shards_list(check, rows, &shards);

	if (r == 0 && shards.n == 0 && is_tagged(check))
		return check_tagged(check, level);
	return r ? r : check_shards(check, &shards, level);
}

static int deepspeed_structure(struct ckpt_check *check)
{
	return check_directory(check, CKPT_LEVEL_STRUCTURE);
}

static int deepspeed_content(struct ckpt_check *check)
{
	return check_directory(check, CKPT_LEVEL_FULL);
}

/* A shard of any rank; or the name alone, for a directory that was never finished. */
static bool deepspeed_sniff(const struct ckpt_check *check)
{
	_cleanup_shards_ struct ckpt_shards shards = { .n = 0 };
	struct ckpt_report report = { .tensors = 0 };
	struct ckpt_error err = { 0 };
	struct ckpt_check own = *check;
	int64_t number;
	struct stat st;

	own.report = &report;
	own.err = &err;
	if (ckpt_train_dir_numbered(ckpt_train_dir_name(check), "global_step", &number))
		return !ckpt_dcp_is(check);
	if (fstatat(check->dirfd, UNIVERSAL "/optimizer_state.pt", &st, 0) == 0 || is_tagged(check))
		return true;
	return ckpt_shards_list(&own, rows, &shards) != 0 || shards.n > 0;
}

const struct ckpt_format ckpt_format_deepspeed = {
	.name = "deepspeed",
	.title = "DeepSpeed checkpoint",
	.kind = CKPT_KIND_DIRECTORY,
	.full = CKPT_EVIDENCE_CHECKSUM, /* at most: the members lower it */
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.sniff = deepspeed_sniff,
	.structure = deepspeed_structure,
	.content = deepspeed_content,
};
