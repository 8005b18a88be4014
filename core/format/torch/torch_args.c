/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_args.h. An optimizer's own groups hold some of the names too (lr, weight_decay): they
 * are of the same training, and the arguments, where they come first, win.
 */
#include "core/format/torch/torch_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/torch/torch_zip.h"
#include "core/format/archive/zip.h"
#include "wire/cleanup.h"
#include "wire/text.h"

/* Where programs keep their settings: argparse, Lightning, fairseq, Megatron, timm. */
static const char *const places[] = { "args", "hyper_parameters", "hparams", "config",	"cfg",
				      "opt",  "options",	  "params",  "settings" };

/* Common names of settings. At most 96: ckpt_pickle_sink. */
static const char *const names[] = {
	"lr",
	"learning_rate",
	"base_lr",
	"min_lr",
	"batch_size",
	"micro_batch_size",
	"global_batch_size",
	"train_batch_size",
	"per_device_train_batch_size",
	"gradient_accumulation_steps",
	"accumulate_grad_batches",
	"epochs",
	"num_epochs",
	"max_epochs",
	"num_train_epochs",
	"max_steps",
	"train_iters",
	"total_steps",
	"warmup_steps",
	"warmup_epochs",
	"seed",
	"weight_decay",
	"momentum",
	"dropout",
	"clip_grad",
	"max_grad_norm",
	"lr_scheduler",
	"scheduler",
	"optim",
	"model",
	"arch",
	"model_name",
	"model_type",
	"backbone",
	"dataset",
	"data_path",
	"num_workers",
	"hidden_size",
	"hidden_dim",
	"embed_dim",
	"num_layers",
	"num_heads",
	"num_attention_heads",
	"seq_length",
	"max_seq_len",
	"block_size",
	"vocab_size",
	"num_classes",
	"image_size",
	"precision",
	"fp16",
	"bf16",
	"amp",
	"tensor_model_parallel_size",
	"pipeline_model_parallel_size",
	"world_size",
	"num_nodes",
	"devices",
	"loss_type",
	"task",
	"run_name",
	"exp_name",
	"sample_rate",
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))
_Static_assert(N_NAMES <= 96, "the scan's words");

#define TEXTS 256 /* of strings behind such a name; a run has a few */

struct scanning {
	ckpt_torch_args_fn *found;
	void *arg;
	bool seen[N_NAMES];
	uint32_t n_texts;
	char texts[TEXTS][64];
};

/* Keeps a string that may turn out to be a setting: the scan itself keeps none so deep. */
static bool on_text(void *arg, size_t word, const char *text, uint32_t *ret_id)
{
	struct scanning *s = arg;

	(void)word;
	if (s->n_texts == TEXTS || !*text)
		return false;
	snprintf(s->texts[s->n_texts], sizeof(s->texts[0]), "%.63s", text);
	*ret_id = s->n_texts++;
	return true;
}

static bool on_nested(void *arg, size_t word, const struct ckpt_pickle_value *value)
{
	struct scanning *s = arg;
	struct ckpt_pickle_value v = *value;
	bool scalar;

	if (v.kind == CKPT_PICKLE_INTERNED) {
		v.kind = CKPT_PICKLE_TEXT;
		memcpy(v.text, s->texts[v.i], sizeof(v.text));
	}
	scalar = v.kind == CKPT_PICKLE_BOOL || v.kind == CKPT_PICKLE_INT ||
		 v.kind == CKPT_PICKLE_FLOAT || (v.kind == CKPT_PICKLE_TEXT && v.text[0]);
	if (scalar && !s->seen[word]) {
		s->seen[word] = true;
		s->found(s->arg, names[word], &v);
	}
	return true;
}

static bool has_place(const struct ckpt_report *report)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (ckpt_report_has_key(report, places[i]))
			return true;
	return false;
}

/* Finds the stored record data.pkl. True with its place. */
static bool find_pickle(const struct ckpt_file *file, uint64_t *ret_off, uint64_t *ret_end)
{
	_cleanup_free_ struct ckpt_zip_walk *walk = malloc(sizeof(*walk));
	_cleanup_free_ struct ckpt_zip_entry *e = malloc(sizeof(*e));
	struct ckpt_zip zip;

	if (!walk || !e || ckpt_zip_open(file, &zip, NULL) != 0)
		return false;
	ckpt_zip_walk_init(walk, &zip);
	while (ckpt_zip_walk_next(walk, e, NULL) == 0) {
		if (!ckpt_text_ends(e->name, "/data.pkl") || e->method != 0)
			continue;
		*ret_off = e->data_off;
		*ret_end = e->data_off + e->csize;
		return true;
	}
	return false;
}

int ckpt_torch_args(const struct ckpt_file *file, const struct ckpt_report *report,
		    ckpt_torch_args_fn *found, void *arg)
{
	_cleanup_free_ struct scanning *s = calloc(1, sizeof(*s));
	const struct ckpt_pickle_sink sink = {
		.words = names, .n_words = N_NAMES, .nested = on_nested, .intern = on_text, .arg = s
	};
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	struct ckpt_pickle_summary sum;
	uint64_t off, end;
	int r;

	if (report->format != &ckpt_format_torch_zip || !has_place(report) ||
	    !find_pickle(file, &off, &end))
		return 0;
	if (!s)
		return -ENOMEM;
	s->found = found;
	s->arg = arg;
	r = ckpt_stream_init(&in, file, off, end, NULL);
	if (r == 0)
		r = ckpt_pickle_scan(&in, &sink, &sum, NULL);
	return r < 0 ? r : 0;
}
