/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_finite.h. Three passes: the directory and the pickle give each storage its type and the
 * parts that are used, these are scanned in file order, and where something was found, directory
 * and pickle are read once more for names.
 */
#include "core/format/torch/torch_finite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/torch/pickle.h"
#include "core/format/torch/torch_members.h"
#include "core/format/torch/torch_views.h"
#include "wire/text.h"

const char *const ckpt_torch_words[CKPT_TORCH_WORDS] = {
	"exp_avg",     "exp_avg_sq",   "max_exp_avg_sq", "momentum_buffer",
	"square_avg",  "grad_avg",     "acc_delta",	 "step",
	"sum",	       "weight",       "bias",		 "running_mean",
	"running_var", "master_param", "prev",		 "step_size"
};

struct look {
	struct ckpt_check *check;
	struct ckpt_zip zip;
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry entry;
	struct ckpt_torch_members m;
	bool big;
	struct ckpt_torch_views views;
	bool apart;	  /* there are storages of which several runs are used */
	bool again;	  /* they are looked through now */
	bool whole;	  /* the storage that is under way, */
	size_t run, runs; /* the next of its runs, and how many there are */
	struct ckpt_finite_range storage;
	const struct ckpt_finite *found; /* while names are looked for */
	uint64_t off[CKPT_FINITE_HITS];	 /* of the hits' storages */
	bool exact[CKPT_FINITE_HITS];	 /* the name is that of a tensor which holds the hit */
	char names[CKPT_FINITE_HITS][CKPT_PICKLE_PATH];
};

static void look_free(struct look **l)
{
	if (*l) {
		ckpt_zip_done(&(*l)->zip);
		ckpt_torch_members_done(&(*l)->m);
		ckpt_torch_views_done(&(*l)->views);
	}
	free(*l);
}

/* The content passed a moment ago: what does not fit now has changed. */
static int changed(struct look *l)
{
	return ckpt_fail(l->check->err, -EAGAIN, "%s changed while it was read",
			 CKPT_QUOTE(l->check->file->name));
}

static const char *bare_name(const struct look *l)
{
	return l->entry.name + l->m.prefix_len;
}

/* torch 2.1 and later say which order the numbers have. */
static int read_order(struct look *l)
{
	char text[8] = "";

	if (strcmp(bare_name(l), "byteorder") != 0 || l->entry.csize >= sizeof(text))
		return 0;
	l->big = ckpt_file_read(l->check->file, l->entry.data_off, text, l->entry.csize, NULL) ==
			 0 &&
		 strcmp(text, "big") == 0;
	return 0;
}

static int read_directory(struct look *l)
{
	int r = ckpt_zip_open(l->check->file, &l->zip, l->check->err);

	if (r == 0)
		ckpt_zip_keep(&l->zip, ckpt_ctx_threads(l->check->ctx));
	ckpt_zip_walk_init(&l->walk, &l->zip);
	while (r == 0) {
		r = ckpt_zip_walk_next(&l->walk, &l->entry, l->check->err);
		if (r == 0)
			r = ckpt_torch_members_add(&l->m, &l->entry);
		if (r == 0)
			r = read_order(l);
	}
	return r == CKPT_ZIP_END ? 0 : r < 0 ? r : changed(l);
}

/* The storage's type, in the table. */
static bool on_type(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct look *l = arg;
	struct ckpt_storage *record =
		storage->has_key ? ckpt_storages_find(&l->m.storages, storage->key) : NULL;

	ckpt_torch_views_settle(&l->views);
	ckpt_torch_views_mention(&l->views, record, storage->has_key);
	if (record && !record->seen) {
		record->seen = true;
		record->type = (uint8_t)storage->type;
	}
	return true;
}

static bool on_view(void *arg, const struct ckpt_pickle_view *view)
{
	struct look *l = arg;

	ckpt_torch_views_take(&l->views, view);
	return true;
}

/* The tensor that holds the hit, rather than the first one of the storage. */
static bool on_named_view(void *arg, const struct ckpt_pickle_view *view)
{
	const struct ckpt_pickle_storage *storage = view->storage;
	struct look *l = arg;
	uint64_t begin, end;

	if (!storage->has_key || !ckpt_torch_view_span(view, &begin, &end))
		return true;
	for (int i = 0; i < l->found->n_hits; i++) {
		uint64_t at = l->found->hits[i].floats.first - l->off[i];

		if (l->found->hits[i].tag != storage->key || l->exact[i] || at < begin || at >= end)
			continue;
		l->exact[i] = true;
		memcpy(l->names[i], storage->path, sizeof(l->names[i]));
	}
	return true;
}

static bool on_path(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct look *l = arg;

	for (int i = 0; storage->has_key && i < l->found->n_hits; i++)
		if (l->found->hits[i].tag == storage->key && !l->names[i][0])
			memcpy(l->names[i], storage->path, sizeof(l->names[i]));
	return true;
}

/* 0; CKPT_PICKLE_LIMIT; or an errno. */
static int read_pickle(struct look *l,
		       bool (*storage)(void *arg, const struct ckpt_pickle_storage *),
		       bool (*view)(void *arg, const struct ckpt_pickle_view *), bool paths)
{
	const struct ckpt_pickle_sink sink = { .words = ckpt_torch_words,
					       .n_words = CKPT_TORCH_WORDS,
					       .storage = storage,
					       .view = view,
					       .arg = l,
					       .paths = paths };
	const struct ckpt_torch_record *pickle = &l->m.pickle;
	struct ckpt_pickle_range range = { l->check->file, pickle->off,
					   pickle->off + pickle->size };
	int r = ckpt_pickle_scan_range(&range, &sink, NULL, l->check->err);

	return r == CKPT_PICKLE_TORN || r == CKPT_PICKLE_BAD ? changed(l) : r;
}

/* The record's storage, if it is one that the pickle mentions. */
static const struct ckpt_storage *entry_storage(const struct look *l, int64_t *ret_key)
{
	const struct ckpt_storage *s;
	const char *digits;

	if (strncmp(l->entry.name, l->m.prefix, l->m.prefix_len) != 0 ||
	    !ckpt_text_starts(bare_name(l), "data/", &digits) ||
	    !ckpt_text_int(digits, 0, INT64_MAX, ret_key))
		return NULL;
	s = ckpt_storages_find(&l->m.storages, (uint64_t)*ret_key);
	return s && s->seen ? s : NULL;
}

/* Finds the next storage that can be looked through. 1; 0 at the end; or an errno. */
static int next_storage(struct look *l)
{
	const struct ckpt_storage *s;
	int64_t key = 0;
	int r;

	while ((r = ckpt_zip_walk_next(&l->walk, &l->entry, NULL)) == 0) {
		s = entry_storage(l, &key);
		if (!s || s->type == CKPT_FLOAT_NONE || l->entry.csize == 0)
			continue;
		if (s->type == CKPT_FLOAT_UNKNOWN || l->entry.method) {
			ckpt_finiteness_skip(l->check, !l->again, "%s",
					     l->entry.method ? "compressed storages"
							     : "untyped storages");
			continue;
		}
		l->storage = (struct ckpt_finite_range) { .off = l->entry.data_off,
							  .len = l->entry.csize,
							  .kind = { s->type, l->big },
							  .tag = (uint64_t)key };
		l->whole = s->whole || l->views.loose;
		l->runs = l->whole ? 0 : ckpt_torch_views_find(&l->views, (uint64_t)key, &l->run);
		return 1;
	}
	return r == CKPT_ZIP_END ? 0 : r < 0 ? r : -EAGAIN;
}

/* Storages that are used in one piece, at which all threads go; ckpt_finite_next_fn. */
static int next_range(void *arg, struct ckpt_finite_range *ret)
{
	struct look *l = arg;
	const struct ckpt_torch_run *run;
	int r;

	while ((r = next_storage(l)) == 1) {
		l->apart |= l->runs > 1;
		*ret = l->storage;
		if (l->whole)
			return 1;
		if (l->runs != 1)
			continue;
		run = &l->views.runs[l->run];
		ret->off += run->begin;
		ret->len = run->end - run->begin;
		return run->end <= l->storage.len ? 1 : -EAGAIN;
	}
	return r;
}

/* Those in several, one by one: each counts once. */
static int scan_apart(struct look *l, struct ckpt_finite *found)
{
	int r;

	l->again = true;
	ckpt_zip_walk_init(&l->walk, &l->zip);
	while ((r = next_storage(l)) == 1) {
		struct ckpt_finite one = { 0 };
		struct ckpt_floats floats;

		if (l->runs < 2)
			continue;
		r = ckpt_torch_views_scan(l->check, &l->views, &l->storage, &floats);
		if (r)
			return r;
		ckpt_finite_enter(&one, l->storage.tag, 0, &floats);
		ckpt_finiteness_count(l->check, &one);
		ckpt_finite_enter(found, l->storage.tag, 0, &floats);
	}
	return r;
}

/* Where the storages lie that the hits are in. */
static int find_offsets(struct look *l)
{
	int64_t key;
	int r;

	ckpt_zip_walk_init(&l->walk, &l->zip);
	while ((r = ckpt_zip_walk_next(&l->walk, &l->entry, NULL)) == 0)
		for (int i = 0; i < l->found->n_hits; i++)
			if (entry_storage(l, &key) && (uint64_t)key == l->found->hits[i].tag)
				l->off[i] = l->entry.data_off;
	return r == CKPT_ZIP_END ? 0 : r < 0 ? r : changed(l);
}

static int name_found(struct look *l, const struct ckpt_finite *found)
{
	char name[sizeof(l->names[0]) + 32];
	int r;

	l->found = found;
	r = found->n_hits ? find_offsets(l) : 0;
	if (r == 0 && found->n_hits)
		r = read_pickle(l, on_path, on_named_view, true);
	for (int i = 0; r >= 0 && i < found->n_hits; i++) {
		snprintf(name, sizeof(name), "data/%llu", (unsigned long long)found->hits[i].tag);
		ckpt_finiteness_name(l->check, l->names[i][0] ? l->names[i] : name,
				     &found->hits[i].floats);
	}
	return r < 0 ? r : 0;
}

static int scan(struct look *l)
{
	const struct ckpt_finite_job job = { .next = next_range,
					     .arg = l,
					     .total = l->check->file->size };
	struct ckpt_finite found;
	int r, named;

	ckpt_zip_walk_init(&l->walk, &l->zip);
	r = ckpt_finiteness_scan(l->check, &job, &found);
	if (r == 0 && l->apart)
		r = scan_apart(l, &found);
	named = name_found(l, &found);
	return r ? r : named;
}

int ckpt_torch_zip_finite(struct ckpt_check *check)
{
	_cleanup_(look_free) struct look *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return ckpt_fail(check->err, -ENOMEM, "no memory to check %s",
				 CKPT_QUOTE(check->file->name));
	l->check = check;
	r = read_directory(l);
	if (r)
		return r;
	if (l->m.other || l->m.pickle.method != 0 || l->m.storages_cut) {
		ckpt_finiteness_skip(check, 1, "%s",
				     l->m.other		 ? l->m.other
				     : l->m.storages_cut ? "too many storages"
							 : "data.pkl is compressed");
		return 0;
	}
	r = read_pickle(l, on_type, on_view, false);
	ckpt_torch_views_settle(&l->views);
	ckpt_torch_views_join(&l->views);
	if (r > 0)
		ckpt_finiteness_skip(check, 1, "data.pkl is nested too deep");
	return r ? (r < 0 ? r : 0) : scan(l);
}
