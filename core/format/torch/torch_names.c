/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See torch_names.h. The archive's directory tells which storages are meant, the pickle who uses
 * them.
 */
#include "core/format/torch/torch_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/archive/zip_check.h"
#include "core/format/torch/pickle.h"
#include "core/format/torch/torch_finite.h"
#include "wire/text.h"

#define HITS 64

struct hit {
	uint64_t key;
	char path[CKPT_PICKLE_PATH];
};

struct asked {
	const struct ckpt_extent *extent;
	struct ckpt_names *names;
	struct ckpt_pickle_range pickle; /* empty if it is not stored */
	struct hit hits[HITS];
	size_t n;
	uint64_t more;
};

static void add_hit(struct asked *a, uint64_t key)
{
	if (a->n < HITS)
		a->hits[a->n++] = (struct hit) { .key = key };
	else
		a->more++;
}

/* All records but storages are known by their names alone. */
static int on_entry(struct ckpt_check *check, const struct ckpt_zip_entry *e, void *arg)
{
	struct asked *a = arg;
	const char *slash = strchr(e->name, '/'), *name = slash ? slash + 1 : e->name, *digits;
	const uint64_t end = e->data_off + e->csize;
	int64_t key;

	if (strcmp(name, "data.pkl") == 0 && e->method == CKPT_ZIP_STORED)
		a->pickle = (struct ckpt_pickle_range) { check->file, e->data_off, end };
	if (!ckpt_extent_meets(a->extent, e->data_off, end))
		return 0;
	if (ckpt_text_starts(name, "data/", &digits) && ckpt_text_int(digits, 0, INT64_MAX, &key))
		add_hit(a, (uint64_t)key);
	else
		ckpt_names_offer(a->names, a->extent, e->data_off, end, name);
	return 0;
}

static bool on_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct asked *a = arg;

	for (size_t i = 0; storage->has_key && i < a->n; i++)
		if (a->hits[i].key == storage->key && !a->hits[i].path[0])
			memcpy(a->hits[i].path, storage->path, sizeof(a->hits[i].path));
	return true;
}

/* Scans data.pkl with @sink's callbacks. A pickle that cannot be read leaves the records' names. */
static int read_pickle(struct ckpt_check *check, struct asked *a,
		       const struct ckpt_pickle_sink *sink)
{
	bool stored = a->pickle.off < a->pickle.end;
	int r = stored ? ckpt_pickle_scan_range(&a->pickle, sink, NULL, check->err) : 0;

	return r < 0 ? r : 0;
}

static void offer_hits(struct asked *a)
{
	char record[32];

	for (size_t i = 0; i < a->n; i++) {
		const struct hit *hit = &a->hits[i];

		snprintf(record, sizeof(record), "data/%llu", (unsigned long long)hit->key);
		ckpt_names_offer(a->names, a->extent, 0, UINT64_MAX,
				 hit->path[0] ? hit->path : record);
	}
	a->names->n += a->more;
}

int ckpt_torch_zip_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names)
{
	_cleanup_free_ struct asked *a = calloc(1, sizeof(*a));
	const struct ckpt_pickle_sink sink = { .words = ckpt_torch_words,
					       .n_words = CKPT_TORCH_WORDS,
					       .storage = on_storage,
					       .arg = a,
					       .paths = true };
	struct ckpt_zip zip;
	int r;

	if (!a)
		return -ENOMEM;
	a->extent = extent;
	a->names = names;
	r = ckpt_zip_check_open(check, &zip);
	r = r ? r : ckpt_zip_check_walk(check, &zip, on_entry, a);
	if (r == 0 && a->n)
		r = read_pickle(check, a, &sink);
	if (r == 0)
		offer_hits(a);
	return r;
}

/* A storage is told once it is known which part of it the tensor is. */
struct telling {
	ckpt_tensor_fn *tell;
	void *arg;
	struct ckpt_tensor told; /* to be; count 0 also where nothing is */
	char name[CKPT_PICKLE_PATH];
};

static void flush(struct telling *t)
{
	if (t->name[0])
		t->tell(t->arg, &t->told);
	t->name[0] = '\0';
}

static void say_type(const struct ckpt_pickle_storage *storage, char *ret, size_t size)
{
	static const char *const floats[CKPT_FLOAT_COUNT] = { [CKPT_FLOAT_F16] = "F16",
							      [CKPT_FLOAT_BF16] = "BF16",
							      [CKPT_FLOAT_F32] = "F32",
							      [CKPT_FLOAT_F64] = "F64" };
	bool complex = ckpt_float_size(storage->type) * 2 == storage->element;

	if (floats[storage->type])
		snprintf(ret, size, "%s%s", complex ? "complex " : "", floats[storage->type]);
	else if (storage->element && storage->type == CKPT_FLOAT_NONE)
		snprintf(ret, size, "%u-byte ints", storage->element);
	else if (storage->element)
		snprintf(ret, size, "%u bytes each", storage->element);
}

static bool tell_storage(void *arg, const struct ckpt_pickle_storage *storage)
{
	struct telling *t = arg;

	flush(t);
	memcpy(t->name, storage->path, sizeof(t->name));
	t->told = (struct ckpt_tensor) { .name = t->name, .count = storage->numel };
	say_type(storage, t->told.type, sizeof(t->told.type));
	return true;
}

static bool tell_view(void *arg, const struct ckpt_pickle_view *view)
{
	struct telling *t = arg;

	t->told.count = 1;
	for (size_t i = 0; i < view->shape->n; i++)
		ckpt_tensor_dim(&t->told, view->shape->of[i]);
	flush(t);
	return true;
}

int ckpt_torch_zip_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg)
{
	static const struct ckpt_extent nowhere = { "", 0, 0 };
	_cleanup_free_ struct asked *a = calloc(1, sizeof(*a));
	struct telling t = { .tell = tell, .arg = arg };
	const struct ckpt_pickle_sink sink = { .words = ckpt_torch_words,
					       .n_words = CKPT_TORCH_WORDS,
					       .storage = tell_storage,
					       .view = tell_view,
					       .arg = &t,
					       .paths = true };
	struct ckpt_zip zip;
	int r;

	if (!a)
		return -ENOMEM;
	a->extent = &nowhere;
	r = ckpt_zip_check_open(check, &zip);
	r = r ? r : ckpt_zip_check_walk(check, &zip, on_entry, a);
	r = r ? r : read_pickle(check, a, &sink);
	flush(&t);
	return r;
}
