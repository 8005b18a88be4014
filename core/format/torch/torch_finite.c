/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_finite.h. Three passes: the directory and the pickle give each storage its type, the
 * records are scanned in file order, and where something was found, the pickle is read once more
 * for names.
 */
#include "core/format/torch/torch_finite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/torch/pickle.h"
#include "core/format/torch/torch_members.h"
#include "wire/text.h"

/* Strings that optimizers repeat for every parameter: the scan remembers words alone. */
static const char *const words[] = { "exp_avg",		"exp_avg_sq",	"max_exp_avg_sq",
				     "momentum_buffer", "square_avg",	"grad_avg",
				     "acc_delta",	"step",		"sum",
				     "weight",		"bias",		"running_mean",
				     "running_var",	"master_param", "prev",
				     "step_size" };

struct look {
	struct ckpt_check *check;
	struct ckpt_zip zip;
	struct ckpt_zip_walk walk;
	struct ckpt_zip_entry entry;
	struct ckpt_torch_members m;
	bool big;
	const struct ckpt_finite *found; /* while names are looked for */
	char names[CKPT_FINITE_HITS][CKPT_PICKLE_PATH];
};

static void look_free(struct look **l)
{
	if (*l)
		ckpt_torch_members_done(&(*l)->m);
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

	if (record && !record->seen) {
		record->seen = true;
		record->type = (uint8_t)storage->type;
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
		       bool (*storage)(void *arg, const struct ckpt_pickle_storage *), bool paths)
{
	const struct ckpt_pickle_sink sink = { .words = words,
					       .n_words = sizeof(words) / sizeof(words[0]),
					       .storage = storage,
					       .arg = l,
					       .paths = paths };
	const struct ckpt_torch_record *pickle = &l->m.pickle;
	struct ckpt_pickle_summary sum;
	_cleanup_stream_ struct ckpt_stream in = { 0 };
	int r = ckpt_stream_init(&in, l->check->file, pickle->off, pickle->off + pickle->size,
				 l->check->err);

	r = r ? r : ckpt_pickle_scan(&in, &sink, &sum, l->check->err);
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

static int next_range(void *arg, struct ckpt_finite_range *ret)
{
	const struct ckpt_storage *s;
	struct look *l = arg;
	int64_t key = 0;
	int r;

	for (;;) {
		r = ckpt_zip_walk_next(&l->walk, &l->entry, NULL);
		if (r)
			return r == CKPT_ZIP_END ? 0 : r < 0 ? r : -EAGAIN;
		s = entry_storage(l, &key);
		if (!s || s->type == CKPT_FLOAT_NONE || l->entry.csize == 0)
			continue;
		if (s->type != CKPT_FLOAT_UNKNOWN && l->entry.method == 0)
			break;
		ckpt_finiteness_skip(l->check, 1, "%s",
				     l->entry.method ? "compressed storages" : "untyped storages");
	}
	*ret = (struct ckpt_finite_range) { .off = l->entry.data_off,
					    .len = l->entry.csize,
					    .kind = { s->type, l->big },
					    .tag = (uint64_t)key };
	return 1;
}

static int name_found(struct look *l, const struct ckpt_finite *found)
{
	char name[sizeof(l->names[0]) + 32];
	int r;

	l->found = found;
	r = found->n_hits ? read_pickle(l, on_path, true) : 0;
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
	r = read_pickle(l, on_type, false);
	if (r > 0)
		ckpt_finiteness_skip(check, 1, "data.pkl is nested too deep");
	return r ? (r < 0 ? r : 0) : scan(l);
}
