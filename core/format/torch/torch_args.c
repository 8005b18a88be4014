/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_args.h. A string that the pickle has already had (an optimizer's "lr", most often) is a
 * number there, so that short strings are remembered by theirs, parameters' names aside.
 */
#include "core/format/torch/torch_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/format/torch/torch_zip.h"
#include "core/format/archive/zip.h"
#include "wire/cleanup.h"
#include "wire/text.h"

/* Where programs keep their settings: argparse, Lightning, fairseq, Megatron, timm, DeepSpeed. */
static const char *const places[] = {
	"args", "hyper_parameters", "hparams", "config",   "cfg",
	"opt",	"options",	    "params",  "settings", "ds_config"
};

#define N_PLACES (sizeof(places) / sizeof(places[0]))

#define KNOWN 4096	    /* strings that are remembered: 0.3 MB */
#define KNOWN_PLACES 8192   /* for them: twice as many */
#define KEPT_MAX (64 - 1)   /* bytes that ckpt_pickle_value keeps of a string */
#define CUT_AT (64 - 1 - 3) /* what remains of a longer one, before "..." */

#define INNER 128 /* dicts in the settings */

struct known {
	uint64_t number; /* plus one; 0: free */
	char text[64];
};

struct scanning {
	ckpt_torch_args_fn *found;
	void *arg;
	struct ckpt_torch_args_count *count;
	size_t n_inner;
	uint64_t inner[INNER]; /* hashes of the names of dicts that settings were told of */
	size_t n_known;
	struct known known[KNOWN_PLACES];
};

static struct known *place_of(struct scanning *s, uint64_t number)
{
	size_t i = (size_t)((number * 0x9e3779b97f4a7c15u) >> 51);

	_Static_assert(KNOWN_PLACES == 1 << 13, "as many as the hash has bits");
	while (s->known[i].number && s->known[i].number != number + 1)
		i = (i + 1) % KNOWN_PLACES;
	return &s->known[i];
}

/* Names of parameters have dots, and are too many. */
static void on_memo(void *arg, uint64_t number, const char *text)
{
	struct scanning *s = arg;
	struct known *at = place_of(s, number);

	if (at->number == 0) {
		if (s->n_known == KNOWN || !*text || strlen(text) > KEPT_MAX || strchr(text, '.'))
			return;
		s->n_known++;
	}
	at->number = number + 1;
	snprintf(at->text, sizeof(at->text), "%s", strlen(text) > KEPT_MAX ? "" : text);
}

/* What @v is in words, if it can be told: a string that was seen before has no other. */
static void look_up(struct scanning *s, struct ckpt_pickle_value *v)
{
	const struct known *at;

	if (v->kind == CKPT_PICKLE_EARLIER) {
		at = place_of(s, (uint64_t)v->i);
		v->kind = at->number && at->text[0] ? CKPT_PICKLE_TEXT : CKPT_PICKLE_OPAQUE;
		if (v->kind == CKPT_PICKLE_TEXT)
			memcpy(v->text, at->text, sizeof(v->text));
	} else if (v->kind == CKPT_PICKLE_INT) {
		snprintf(v->text, sizeof(v->text), "%lld", (long long)v->i);
	}
	if (v->kind == CKPT_PICKLE_TEXT && strlen(v->text) == KEPT_MAX)
		memcpy(v->text + CUT_AT, "...", 4);
}

/* "optim/lr": the first @n keys. False if one is not known. */
static bool name_of(struct scanning *s, const struct ckpt_pickle_pair *pair, size_t n, char *ret)
{
	const size_t size = CKPT_TORCH_ARGS_NAME;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct ckpt_pickle_value key = pair->keys[i];

		look_up(s, &key);
		if (key.kind != CKPT_PICKLE_TEXT && key.kind != CKPT_PICKLE_INT)
			return false;
		at += (size_t)snprintf(ret + at, size - at, "%s%s", i ? "/" : "", key.text);
		if (at >= size)
			return false;
	}
	return at > 0;
}

static uint64_t hash_of(const char *name)
{
	return ckpt_hash(CKPT_HASH_START, name, strlen(name));
}

static bool is_told(const struct scanning *s, const char *name)
{
	for (size_t i = 0; i < s->n_inner; i++)
		if (s->inner[i] == hash_of(name))
			return true;
	return false;
}

/* Remembers the dict that the pair is in. */
static void note_inner(struct scanning *s, const struct ckpt_pickle_pair *pair)
{
	char name[CKPT_TORCH_ARGS_NAME];

	if (pair->n > 1 && s->n_inner < INNER && name_of(s, pair, pair->n - 1, name) &&
	    !is_told(s, name))
		s->inner[s->n_inner++] = hash_of(name);
}

static bool is_scalar(const struct ckpt_pickle_value *v)
{
	return v->kind == CKPT_PICKLE_BOOL || v->kind == CKPT_PICKLE_INT ||
	       v->kind == CKPT_PICKLE_FLOAT || v->kind == CKPT_PICKLE_NONE ||
	       v->kind == CKPT_PICKLE_TEXT;
}

static bool on_pair(void *arg, const struct ckpt_pickle_pair *pair)
{
	char name[CKPT_TORCH_ARGS_NAME];
	struct scanning *s = arg;
	struct ckpt_pickle_value value = pair->value;
	bool known;

	note_inner(s, pair);
	known = name_of(s, pair, pair->n, name);
	if (known && pair->inner && is_told(s, name))
		return true;
	look_up(s, &value);
	if (known && is_scalar(&value) && s->count->told < CKPT_TORCH_ARGS_MAX &&
	    s->found(s->arg, name, &value))
		s->count->told++;
	else
		s->count->left_out++;
	return true;
}

static bool has_place(const struct ckpt_report *report)
{
	for (size_t i = 0; i < N_PLACES; i++)
		if (ckpt_report_has_key(report, places[i]))
			return true;
	return false;
}

/* Finds the stored record data.pkl. True with its place. */
static bool find_pickle(const struct ckpt_file *file, struct ckpt_pickle_range *ret)
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
		*ret = (struct ckpt_pickle_range) { file, e->data_off, e->data_off + e->csize };
		return true;
	}
	return false;
}

int ckpt_torch_args(const struct ckpt_file *file, const struct ckpt_report *report,
		    ckpt_torch_args_fn *found, void *arg, struct ckpt_torch_args_count *ret)
{
	_cleanup_free_ struct scanning *s = calloc(1, sizeof(*s));
	const struct ckpt_pickle_sink sink = { .words = places,
					       .n_words = N_PLACES,
					       .below = on_pair,
					       .memo = on_memo,
					       .paths = true,
					       .arg = s };
	struct ckpt_pickle_range range;
	int r;

	*ret = (struct ckpt_torch_args_count) { 0 };
	if (report->format != &ckpt_format_torch_zip || !has_place(report) ||
	    !find_pickle(file, &range))
		return 0;
	if (!s)
		return -ENOMEM;
	s->found = found;
	s->arg = arg;
	s->count = ret;
	r = ckpt_pickle_scan_range(&range, &sink, NULL, NULL);
	return r < 0 ? r : 0;
}
