/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zarr arrays in OCDBT, see zarr_store.h. Keys come in order: of an array of version 2 its metadata
 * before its chunks ("a/.zarray" < "a/0.0"), of version 3 behind them ("a/c/0" < "a/zarr.json").
 */
#include "core/format/array/zarr_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/jax/ocdbt.h"

#define V2 "/.zarray"
#define V3 "/zarr.json"
#define JSON_MAX 65536 /* bytes: of an array, with its attributes */
#define NAME_SIZE 4096

/* The array whose keys come now. */
struct walk {
	const struct ckpt_zarr_store *store;
	struct ckpt_zarr zarr;
	bool known;
	char name[NAME_SIZE]; /* of it, without the slash behind */
	size_t n_name;
	uint64_t seen; /* chunks */
	uint64_t bare; /* values that no checksum covers */
};

static bool ends(const char *text, size_t n, const char *end, size_t n_end)
{
	return n >= n_end && memcmp(text + n - n_end, end, n_end) == 0;
}

/* All chunks of the array were seen. */
static int finish(struct walk *w)
{
	const struct ckpt_zarr_store *store = w->store;

	if (!w->known || !store->all || w->seen >= w->zarr.chunks || w->zarr.chunks == UINT64_MAX)
		return 0;
	return ckpt_check_reject(
		store->check, CKPT_INCOMPLETE, CKPT_PROBLEM_SHARD_MISSING, CKPT_NO_OFFSET, w->name,
		"the array has %llu of its %llu chunks: a process' part is missing",
		(unsigned long long)w->seen, (unsigned long long)w->zarr.chunks);
}

/* Begins the array @name by its metadata @value; NULL: they are not known. */
static int begin(struct walk *w, const char *name, size_t n, const struct ckpt_ocdbt_value *value)
{
	int r = finish(w);

	w->seen = 0;
	w->known = n < sizeof(w->name) && value && value->bytes && value->len <= JSON_MAX &&
		   ckpt_zarr_read((const char *)value->bytes, (size_t)value->len, &w->zarr);
	w->n_name = n < sizeof(w->name) ? n : 0;
	memcpy(w->name, name, w->n_name);
	w->name[w->n_name] = '\0';
	return r;
}

/* The name in "NAME/c/0/1"; 0: it is no such key. */
static size_t array_of(const struct ckpt_ocdbt_value *value)
{
	size_t n = value->n_key;

	while (n > 0 && ((value->key[n - 1] >= '0' && value->key[n - 1] <= '9') ||
			 strchr("/.", value->key[n - 1])))
		n--;
	return n > 2 && value->key[n - 1] == 'c' && value->key[n - 2] == '/' ? n - 2 : 0;
}

/* Looks ahead for the metadata of an array of version 3 whose first chunk comes. */
static int look_ahead(struct walk *w, const struct ckpt_ocdbt_value *value)
{
	struct ckpt_ocdbt_value found;
	char key[NAME_SIZE + sizeof(V3)];
	size_t n = array_of(value);

	if (n == 0 || n >= NAME_SIZE)
		return 0;
	snprintf(key, sizeof(key), "%.*s" V3, (int)n, value->key);
	if (ckpt_ocdbt_ahead(value, key, &found))
		return begin(w, value->key, n, &found);
	return begin(w, value->key, n, NULL);
}

/* Whether the key begins with the array's name and a slash. */
static bool is_ours(const struct walk *w, const struct ckpt_ocdbt_value *value)
{
	return w->n_name && value->n_key > w->n_name + 1 && value->key[w->n_name] == '/' &&
	       memcmp(value->key, w->name, w->n_name) == 0;
}

static int visit_bare(struct walk *w, const struct ckpt_ocdbt_value *value, bool chunk)
{
	const struct ckpt_zarr_bytes bytes = {
		.file = value->file, .off = value->off, .len = value->len, .member = value->key
	};
	bool covered = false;
	int r = chunk ? ckpt_zarr_chunk(w->store->check, &w->zarr, &bytes, w->store->level,
					&covered)
		      : 0;

	w->bare += !covered && value->len > 0;
	return r;
}

/* Tells of the array whose metadata @value is; they may lie beside the tree. */
static int tell(struct walk *w, const struct ckpt_ocdbt_value *value, size_t n_name)
{
	const struct ckpt_zarr_store *store = w->store;
	_cleanup_free_ char *text = malloc(JSON_MAX);
	int r = 0;

	if (value->len > JSON_MAX)
		return 0;
	if (!text)
		return ckpt_fail(store->check->err, -ENOMEM, "no memory to look at arrays");
	if (value->bytes)
		memcpy(text, value->bytes, (size_t)value->len);
	else
		r = ckpt_file_read(value->file, value->off, text, (size_t)value->len,
				   store->check->err);
	if (r || !ckpt_zarr_read(text, (size_t)value->len, &w->zarr))
		return r < 0 ? r : 0;
	snprintf(w->name, sizeof(w->name), "%s%.*s", store->prefix, (int)n_name, value->key);
	w->zarr.all.name = w->name;
	store->tell(store->arg, &w->zarr.all);
	return 0;
}

static int visit_told(struct walk *w, const struct ckpt_ocdbt_value *value)
{
	if (ends(value->key, value->n_key, V2, sizeof(V2) - 1))
		return tell(w, value, value->n_key - (sizeof(V2) - 1));
	if (ends(value->key, value->n_key, V3, sizeof(V3) - 1))
		return tell(w, value, value->n_key - (sizeof(V3) - 1));
	return 0;
}

static int visit(void *arg, const struct ckpt_ocdbt_value *value)
{
	struct walk *w = arg;
	bool chunk;
	int r = 0;

	if (w->store->tell)
		return visit_told(w, value);

	if (ends(value->key, value->n_key, V2, sizeof(V2) - 1))
		r = begin(w, value->key, value->n_key - (sizeof(V2) - 1), value);
	else if (!is_ours(w, value) && ends(value->key, value->n_key, V3, sizeof(V3) - 1))
		r = begin(w, value->key, value->n_key - (sizeof(V3) - 1), value);
	else if (!is_ours(w, value))
		r = look_ahead(w, value);
	chunk = w->known && is_ours(w, value) &&
		ckpt_zarr_is_chunk(&w->zarr, value->key + w->n_name + 1,
				   value->n_key - w->n_name - 1);
	w->seen += chunk;
	return r || value->bytes ? r : visit_bare(w, value, chunk);
}

int ckpt_zarr_ocdbt(const struct ckpt_zarr_store *store)
{
	_cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
	struct ckpt_ocdbt_job job = { .check = store->check,
				      .prefix = store->prefix,
				      .bytes = store->bytes,
				      .value = visit,
				      .arg = w };
	int r;

	if (!w)
		return ckpt_fail(store->check->err, -ENOMEM, "no memory to look at arrays");
	w->store = store;
	r = ckpt_ocdbt_tree(&job);
	if (r == 0 && store->check->report->verdict.evidence > CKPT_EVIDENCE_OPAQUE)
		r = finish(w); /* it was walked to its end */
	if (r == 0 && w->bare)
		ckpt_check_cap(store->check, CKPT_EVIDENCE_STRUCTURE,
			       "%llu values have no checksum of their own",
			       (unsigned long long)w->bare);
	return r;
}
