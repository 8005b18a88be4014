/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that training programs give to things in the dict they save. Where several name the same
 * thing, the first of the table wins: "step" may be anything, "global_step" is not.
 */
#include "core/format/torch/torch_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/cleanup.h"
#include "wire/text.h"

enum meaning {
	STEP,
	STEP_IN_EPOCH, /* many loops count so from the beginning of each epoch */
	EPOCH,
	LOSS,
	MODEL,
	OPTIMIZER,
	LIGHTNING,
	DEEPSPEED,
	DP,
	MP,
	NESTED_DP,
	TP,
	PP,
	EP,
	MICS
};

static const struct {
	const char *word;
	enum meaning meaning;
} table[] = {
	{ "global_step", STEP },
	{ "global_steps", STEP },
	{ "step", STEP_IN_EPOCH },
	{ "update", STEP },
	{ "iteration", STEP_IN_EPOCH },
	{ "iter", STEP_IN_EPOCH },
	{ "num_updates", STEP },
	{ "iter_num", STEP }, /* nanoGPT */
	/*
	 * Never more than a number: programs save the epoch that ends, the one that runs or the
	 * next one. So it is with Lightning too: its "epoch" is the current one both when a save
	 * falls into its middle and after its last batch, and versions before 1.5 wrote one more.
	 */
	{ "epoch", EPOCH },
	{ "loss", LOSS },
	{ "best_loss", LOSS },
	{ "model_loss", LOSS },
	{ "val_loss", LOSS },
	{ "state_dict", MODEL },
	{ "model", MODEL },
	{ "model_state_dict", MODEL },
	{ "module", MODEL },
	{ "ema_model_state_dict", MODEL },
	{ "net", MODEL },
	{ "network", MODEL },
	{ "optimizer", OPTIMIZER },
	{ "optimizers", OPTIMIZER },
	{ "optimizer_state_dict", OPTIMIZER },
	{ "optimizer_states", OPTIMIZER },
	{ "opt", OPTIMIZER },
	{ "optimizers_state_dict", OPTIMIZER }, /* Determined */
	{ "models_state_dict", MODEL },
	{ "pytorch-lightning_version", LIGHTNING },
	{ "ds_version", DEEPSPEED },
	{ "dp_world_size", DP },
	{ "mp_world_size", MP },
	/* of the arguments that Megatron saves along */
	{ "data_parallel_size", NESTED_DP },
	{ "tensor_model_parallel_size", TP },
	{ "pipeline_model_parallel_size", PP },
	{ "expert_model_parallel_size", EP },
	/* in zero_optimization of the configuration that DeepSpeed saves along */
	{ "mics_shard_size", MICS },
};

#define N_WORDS (sizeof(table) / sizeof(table[0]))

struct state {
	struct ckpt_report report;   /* a copy, given out when the scan succeeded */
	size_t step_rank, loss_rank; /* rows that gave them */
	bool model, optimizer;
	bool (*storage)(void *arg, const struct ckpt_pickle_storage *);
	void *arg;
};

static bool on_name(void *arg, const char *text, size_t len)
{
	struct state *st = arg;
	bool known = false;

	ckpt_report_add_key(&st->report, text, len);
	for (size_t i = 0; i < N_WORDS; i++)
		known = known ||
			(strlen(table[i].word) == len && memcmp(table[i].word, text, len) == 0);
	/* "optim_g", "generator_optimizer": known words are judged by their value, which may be
	 * None. */
	if (!known && memmem(text, len, "optim", 5))
		st->optimizer = true;
	return true;
}

/* A number of progress: whole, not negative and within what a double holds exactly. */
static bool whole(const struct ckpt_pickle_value *v, int64_t *ret)
{
	if (v->kind == CKPT_PICKLE_INT && v->i >= 0) {
		*ret = v->i;
		return true;
	}
	if (v->kind != CKPT_PICKLE_FLOAT || !(v->f >= 0 && v->f <= 9007199254740992.0) ||
	    v->f != floor(v->f))
		return false;
	*ret = (int64_t)v->f;
	return true;
}

static bool number(const struct ckpt_pickle_value *v, double *ret)
{
	if (v->kind == CKPT_PICKLE_INT)
		*ret = (double)v->i;
	else if (v->kind == CKPT_PICKLE_FLOAT && isfinite(v->f))
		*ret = v->f;
	else
		return false;
	return true;
}

static void set_step(struct state *st, size_t rank, const struct ckpt_pickle_value *v)
{
	struct ckpt_position *pos = &st->report.position;

	if ((pos->has_step && rank >= st->step_rank) || !whole(v, &pos->step))
		return;
	pos->has_step = true;
	pos->step_vague = table[rank].meaning == STEP_IN_EPOCH;
	pos->step_source = CKPT_FROM_CONTENT;
	st->step_rank = rank;
}

static void set_epoch(struct state *st, const struct ckpt_pickle_value *v)
{
	struct ckpt_position *pos = &st->report.position;
	double epoch;

	if (!number(v, &epoch) || epoch < 0)
		return;
	pos->has_epoch = true;
	pos->epoch = epoch;
	pos->epoch_source = CKPT_FROM_CONTENT;
	pos->meaning = CKPT_EPOCH_UNKNOWN;
}

static void set_loss(struct state *st, size_t rank, const struct ckpt_pickle_value *v)
{
	struct ckpt_position *pos = &st->report.position;

	if ((pos->has_loss && rank >= st->loss_rank) || !number(v, &pos->loss))
		return;
	pos->has_loss = true;
	st->loss_rank = rank;
	snprintf(pos->loss_key, sizeof(pos->loss_key), "%s", table[rank].word);
}

static void set_framework(struct state *st, const char *name, const struct ckpt_pickle_value *v)
{
	char *dst = st->report.framework;

	snprintf(dst, sizeof(st->report.framework), "%s%s%.40s", name, v->text[0] ? " " : "",
		 v->text);
	ckpt_text_clean(dst);
}

static void set_ranks(int64_t *ranks, const struct ckpt_pickle_value *v)
{
	if (v->kind == CKPT_PICKLE_INT && v->i > 0)
		*ranks = v->i;
}

static bool on_item(void *arg, size_t word, const struct ckpt_pickle_value *v)
{
	struct state *st = arg;

	switch (table[word].meaning) {
	case STEP:
	case STEP_IN_EPOCH:
		set_step(st, word, v);
		break;
	case EPOCH:
		set_epoch(st, v);
		break;
	case LOSS:
		set_loss(st, word, v);
		break;
	case MODEL:
		st->model = st->model || v->kind != CKPT_PICKLE_NONE;
		break;
	case OPTIMIZER:
		st->optimizer = st->optimizer || v->kind != CKPT_PICKLE_NONE;
		break;
	case LIGHTNING:
		set_framework(st, "PyTorch Lightning", v);
		break;
	case DEEPSPEED:
		set_framework(st, "DeepSpeed", v);
		break;
	case DP:
		set_ranks(&st->report.world.dp, v);
		break;
	case MP:
		set_ranks(&st->report.world.mp, v);
		break;
	case NESTED_DP:
	case TP:
	case PP:
	case EP:
	case MICS:
		break; /* on_nested() */
	}
	return true;
}

/* Megatron saves the arguments of the program as an object, DeepSpeed its configuration. */
static bool on_nested(void *arg, size_t word, const struct ckpt_pickle_value *v)
{
	struct ckpt_world *world = &((struct state *)arg)->report.world;

	if (table[word].meaning == NESTED_DP)
		set_ranks(&world->dp, v);
	else if (table[word].meaning == TP)
		set_ranks(&world->tp, v);
	else if (table[word].meaning == PP)
		set_ranks(&world->pp, v);
	else if (table[word].meaning == EP)
		set_ranks(&world->ep, v);
	else if (table[word].meaning == MICS)
		set_ranks(&world->shard, v);
	return true;
}

static bool on_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct state *st = arg;

	return !st->storage || st->storage(st->arg, storage);
}

static enum ckpt_contents contents_of(const struct state *st, const struct ckpt_pickle_summary *sum)
{
	if (st->optimizer)
		return CKPT_CONTENTS_FULL;
	if (st->model || (sum->items > 0 && sum->tensors == sum->items))
		return CKPT_CONTENTS_WEIGHTS;
	return CKPT_CONTENTS_UNKNOWN;
}

int ckpt_torch_state_scan(struct ckpt_stream *in, struct ckpt_report *report,
			  bool (*storage)(void *arg, const struct ckpt_pickle_storage *), void *arg,
			  struct ckpt_error *err)
{
	const char *words[N_WORDS];
	struct ckpt_pickle_sink sink = { .words = words,
					 .n_words = N_WORDS,
					 .name = on_name,
					 .item = on_item,
					 .storage = on_storage,
					 .nested = on_nested };
	struct ckpt_pickle_summary sum;
	_cleanup_free_ struct state *st = calloc(1, sizeof(*st));
	int r;

	if (!st)
		return ckpt_fail(err, -ENOMEM, "no memory for a report");
	for (size_t i = 0; i < N_WORDS; i++)
		words[i] = table[i].word;
	st->report = *report;
	st->storage = storage;
	st->arg = arg;
	sink.arg = st;
	r = ckpt_pickle_scan(in, &sink, &sum, err);
	if (r)
		return r;
	*report = st->report;
	report->contents = contents_of(st, &sum);
	return 0;
}
