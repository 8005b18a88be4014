/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in the data sets of an HDF5 file. Filters are undone where they are deflate, shuffle
 * and Fletcher-32, in the order in which h5py and Keras apply them. A chunk that reaches beyond its
 * data set is filled up with the fill value: only where that is itself no number may what is found
 * lie there, and then it counts as not looked through.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/finiteness.h"
#include "core/format/hdf5/hdf5_walk.h"
#include "core/format/inflate.h"
#include "wire/text.h"

#define DEFLATE 1
#define SHUFFLE 2
#define FLETCHER32 3
#define EDGES_UNFILTERED 0x01
#define CHUNK_MAX ((uint64_t)16 << 20) /* kept whole to undo a shuffle; the default is 1 MiB */
#define BUFFER 65536u

/* The data set under way. */
struct ckpt_hdf5_look {
	struct ckpt_float_kind kind;
	struct ckpt_floats found;
	uint64_t chunks, failed; /* looked through; left out */
	bool used;
};

/* One chunk: what its bytes are once they are unpacked. */
struct chunk {
	const struct ckpt_hdf5_object *obj;
	uint64_t addr, size;
	bool deflate, shuffle;
	struct ckpt_floats_feed feed;
	uint8_t *whole; /* shuffled bytes, until all are there */
	uint64_t n, max;
};

int ckpt_hdf5_look_new(struct ckpt_hdf5 *h)
{
	h->look = calloc(1, sizeof(*h->look));
	return h->look ? 0
		       : ckpt_fail(h->check->err, -ENOMEM, "no memory to check %s",
				   CKPT_QUOTE(h->check->file->name));
}

/* The exponent tells float16 from bfloat16. */
static struct ckpt_float_kind kind_of(const struct ckpt_hdf5_object *obj)
{
	static const uint8_t ieee[] = { [2] = 5, [4] = 8, [8] = 11 };
	struct ckpt_float_kind kind = { CKPT_FLOAT_NONE, obj->big };
	uint64_t size = obj->type_size;
	unsigned class = obj->type_class;

	if (!obj->has_type || class == 6 || class == 9 || class > 9)
		kind.type = CKPT_FLOAT_UNKNOWN; /* compound, variable, array, complex */
	if (!obj->has_type || class != 1)
		return kind;
	kind.type = CKPT_FLOAT_UNKNOWN;
	if (size == 2 && obj->exponent == 8)
		kind.type = CKPT_FLOAT_BF16;
	else if (size <= 8 && size >= 2 && ieee[size] && obj->exponent == ieee[size])
		kind.type = ckpt_float_ieee(size);
	return kind;
}

void ckpt_hdf5_look_begin(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	*h->look = (struct ckpt_hdf5_look) { .kind = kind_of(obj) };
}

int ckpt_hdf5_look_range(struct ckpt_hdf5 *h, uint64_t addr, uint64_t len)
{
	const struct ckpt_finite_range range = { h->base + addr, len, h->look->kind, 0 };
	char path[256];

	h->look->used = true;
	if (ckpt_float_size(range.kind.type) == 0 || len == 0)
		return 0;
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	h->look->used = false; /* entered here */
	return ckpt_finiteness_range(h->check, &range, path);
}

/* Which filters are to be undone; false where there is one that cannot be. */
static bool plan(struct chunk *c, uint32_t mask)
{
	static const uint16_t order[] = { SHUFFLE, DEFLATE, FLETCHER32 };
	const struct ckpt_hdf5_object *obj = c->obj;
	size_t at = 0;

	if (obj->n_filters && (obj->chunk_flags & EDGES_UNFILTERED))
		return false;
	for (int i = 0; i < obj->n_filters; i++) {
		if (mask & 1u << i)
			continue;
		while (at < 3 && order[at] != obj->filters[i])
			at++;
		if (at == 3)
			return false;
		c->shuffle |= order[at] == SHUFFLE;
		c->deflate |= order[at] == DEFLATE;
		c->size -= order[at] == FLETCHER32 && c->size >= 4 ? 4 : 0;
		at++;
	}
	c->shuffle &= obj->type_size > 1;
	c->max = ckpt_hdf5_chunk_bytes(obj);
	return !c->shuffle || c->max <= CHUNK_MAX;
}

static void take(void *arg, const uint8_t *buf, size_t len)
{
	struct chunk *c = arg;
	uint64_t room = c->max - c->n;
	size_t n = len < room ? len : (size_t)room;

	if (c->whole)
		memcpy(c->whole + c->n, buf, n);
	else
		ckpt_floats_take(&c->feed, buf, n);
	c->n += n;
}

/* Hands on the bytes of a chunk that is not deflated. */
static int read_plain(struct ckpt_hdf5 *h, struct chunk *c)
{
	uint8_t buf[BUFFER];

	for (uint64_t at = 0; at < c->size; at += BUFFER) {
		size_t n = c->size - at < BUFFER ? (size_t)(c->size - at) : BUFFER;
		int r = ckpt_check_read(h->check, h->base + c->addr + at, buf, n, "a chunk");

		if (r)
			return r;
		take(c, buf, n);
	}
	return 0;
}

static int read_deflated(struct ckpt_hdf5 *h, struct chunk *c)
{
	const struct ckpt_inflate_job job = { .file = h->check->file,
					      .off = h->base + c->addr,
					      .len = c->size,
					      .zlib = true,
					      .max = c->max,
					      .sink = take,
					      .arg = c };
	uint64_t out;

	return ckpt_inflate(&job, &out, h->check->err);
}

/* First bytes of all elements come first, then all second ones ...: puts them together again. */
static void unshuffle(struct chunk *c)
{
	size_t size = (size_t)c->obj->type_size, n = (size_t)(c->max / size);
	uint8_t out[8192], *p = out;

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < size; k++)
			*p++ = c->whole[k * n + i];
		if (p + size <= out + sizeof(out) && i + 1 < n)
			continue;
		ckpt_floats_take(&c->feed, out, (size_t)(p - out));
		p = out;
	}
}

static int unpack(struct ckpt_hdf5 *h, struct chunk *c)
{
	int r;

	c->feed = (struct ckpt_floats_feed) { .kind = h->look->kind, .off = h->base + c->addr };
	if (c->shuffle && !(c->whole = malloc((size_t)c->max)))
		return ckpt_fail(h->check->err, -ENOMEM, "no memory for a chunk of %s",
				 CKPT_QUOTE(h->check->file->name));
	r = c->deflate ? read_deflated(h, c) : read_plain(h, c);
	if (r == 0 && c->n == c->max && c->shuffle)
		unshuffle(c);
	if (c->deflate || c->shuffle) /* there is no other place in the file to name */
		c->feed.found.first = h->base + c->addr;
	free(c->whole);
	return r;
}

int ckpt_hdf5_look_chunk(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj,
			 const struct ckpt_hdf5_stored *stored)
{
	struct ckpt_hdf5_look *look = h->look;
	struct chunk c = { .obj = obj, .addr = stored->addr, .size = stored->size };
	int r;

	look->used = true;
	if (ckpt_float_size(look->kind.type) == 0)
		return 0;
	if (!plan(&c, stored->mask)) {
		look->failed++;
		return 0;
	}
	r = unpack(h, &c);
	if (r < 0)
		return r;
	if (r > 0 || c.n != c.max)
		look->failed++;
	else
		ckpt_floats_add(&look->found, &c.feed.found);
	return 0;
}

/* Whether what was found may all be padding of chunks. */
static bool may_be_padding(const struct ckpt_hdf5_look *look, const struct ckpt_hdf5_object *obj)
{
	struct ckpt_floats fill = { 0 };
	uint64_t grid = 1;

	ckpt_floats_count(look->kind, obj->fill, ckpt_float_size(look->kind.type), 0, &fill);
	if (fill.nan + fill.inf == 0 || obj->layout != CKPT_HDF5_CHUNKED)
		return false;
	for (int i = 0; i < obj->rank && i < obj->chunk_rank - 1; i++) {
		uint64_t chunk = obj->chunk_dims[i];
		uint64_t n = chunk ? obj->dims[i] / chunk + (obj->dims[i] % chunk != 0) : 0;

		if (__builtin_mul_overflow(grid, n, &grid) ||
		    __builtin_mul_overflow(grid, chunk, &grid))
			return true;
	}
	return look->found.nan + look->found.inf <= grid - obj->items;
}

void ckpt_hdf5_look_end(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	struct ckpt_hdf5_look *look = h->look;
	char path[256];

	if (obj->has_layout && obj->layout > CKPT_HDF5_CHUNKED)
		ckpt_finiteness_skip(h->check, 1, "data in other files");
	else if (look->used && look->kind.type == CKPT_FLOAT_UNKNOWN)
		ckpt_finiteness_skip(h->check, 1, "compound data and types not known");
	else if (look->failed)
		ckpt_finiteness_skip(h->check, 1, "chunks that cannot be decoded");
	if (!look->used || ckpt_float_size(look->kind.type) == 0)
		return;
	if (look->found.nan + look->found.inf && may_be_padding(look, obj)) {
		ckpt_finiteness_skip(h->check, 1, "its fill value is no number");
		return;
	}
	if (look->failed && look->found.nan + look->found.inf == 0)
		return;
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	ckpt_finiteness_tensor(h->check, path, &look->found);
}
