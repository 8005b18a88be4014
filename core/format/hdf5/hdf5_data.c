/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw data of data sets: where they lie, and, where the writer asked for them, the checksums of
 * chunks: Fletcher-32 as the last filter, or zlib's own behind deflated ones.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/hdf5/hdf5_walk.h"
#include "core/format/inflate.h"

#define FILTERS 0x0b /* the message */
#define DEFLATE 1
#define SHUFFLE 2
#define FLETCHER32 3
#define EDGES_UNFILTERED 0x01
#define BUFFER 32768 /* even: sums are of 16-bit words */

uint64_t ckpt_hdf5_chunk_bytes(const struct ckpt_hdf5_object *obj)
{
	uint64_t n = 1;

	for (int i = 0; i < obj->chunk_rank; i++)
		if (__builtin_mul_overflow(n, obj->chunk_dims[i], &n))
			return 0;
	return n;
}

/* The last filter that was applied to a chunk; 0 if none was. */
static unsigned last_filter(const struct ckpt_hdf5_object *obj, uint32_t mask)
{
	for (int i = obj->n_filters - 1; i >= 0; i--)
		if (!(mask & 1u << i))
			return obj->filters[i];
	return 0;
}

struct fletcher {
	uint64_t a, b;
};

/* Adds @len bytes of @buf as big-endian words; an odd byte is the high one of the last word. */
static void fletcher_add(struct fletcher *f, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i += 2) {
		f->a += (uint64_t)buf[i] << 8 | (i + 1 < len ? buf[i + 1] : 0);
		f->b += f->a;
	}
	/* 0xffff stays itself, as with the library: only data of zeros sum up to 0 */
	f->a = f->a ? (f->a - 1) % 65535 + 1 : 0;
	f->b = f->b ? (f->b - 1) % 65535 + 1 : 0;
}

/* Sums the chunk but for its last four bytes, which hold the sum; early versions stored it with
 * bytes swapped. */
static int check_fletcher(struct ckpt_hdf5 *h, uint64_t addr, uint64_t size)
{
	struct fletcher f = { 0 };
	uint64_t done = 0, left = size - 4;
	uint8_t buf[BUFFER];
	uint32_t sum, swapped, stored;
	int r = 0;

	for (; r == 0 && left > 0; left -= done, addr += done) {
		done = left < sizeof(buf) ? left : sizeof(buf);
		r = ckpt_check_read(h->check, h->base + addr, buf, done, "a chunk");
		if (r == 0)
			fletcher_add(&f, buf, done);
	}
	r = r ? r : ckpt_check_read(h->check, h->base + addr, buf, 4, "a chunk");
	if (r)
		return r;
	sum = (uint32_t)(f.b << 16 | f.a);
	swapped = (sum & 0x00ff00ffu) << 8 | (sum >> 8 & 0x00ff00ffu);
	stored = (uint32_t)ckpt_bytes_le(buf, 4);
	if (stored == sum || stored == swapped)
		return 0;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_CHECKSUM, addr + 4 - size,
				"a chunk does not match its Fletcher-32 checksum");
}

static int check_deflate(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr,
			 uint64_t size)
{
	uint64_t out, bytes = ckpt_hdf5_chunk_bytes(obj);
	struct ckpt_inflate_job job = { .file = h->check->file,
					.off = h->base + addr,
					.len = size,
					.zlib = true,
					.max = bytes + bytes / 4 + 65536 };
	int r = ckpt_inflate(&job, &out, h->check->err);

	if (r <= 0)
		return r;
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_CHECKSUM, addr, "a chunk cannot be decompressed");
}

int ckpt_hdf5_chunk(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr,
		    uint64_t size, uint32_t mask)
{
	unsigned filter = obj->chunk_flags & EDGES_UNFILTERED ? 0 : last_filter(obj, mask);
	int r = ckpt_hdf5_charge_data(h, addr, size, "a chunk");

	if (r)
		return r;
	if (h->look)
		return ckpt_hdf5_look_chunk(h, obj,
					    &(const struct ckpt_hdf5_stored) { addr, size, mask });
	if (filter == FLETCHER32 && size < 4)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a chunk is shorter than its checksum");
	if (filter != FLETCHER32 && filter != DEFLATE)
		h->unsummed++;
	else if (h->content)
		return filter == DEFLATE ? check_deflate(h, obj, addr, size)
					 : check_fletcher(h, addr, size);
	return 0;
}

struct chunks {
	const struct ckpt_hdf5_object *obj;
	bool any; /* one was seen before, at */
	uint64_t last[CKPT_HDF5_RANK];
};

/* The place of a chunk, in elements: behind the last one, at a multiple of the chunks' shape,
 * inside of what the data set may become. */
static int check_place(struct ckpt_hdf5_cur *key, struct chunks *c)
{
	const struct ckpt_hdf5_object *obj = c->obj;
	bool behind = !c->any, before = false;
	uint64_t at;

	for (int i = 0; i < obj->chunk_rank - 1; i++) {
		at = ckpt_hdf5_uint(key, 8);
		if (key->r == 0 &&
		    (at % obj->chunk_dims[i] || (i < obj->rank && at >= obj->most[i])))
			return ckpt_hdf5_reject(key->h, CKPT_PROBLEM_HEADER, key->at,
						"a chunk is where the data set has none");
		before |= !behind && at < c->last[i];
		behind |= !before && at > c->last[i];
		c->last[i] = at;
	}
	c->any = true;
	if (key->r == 0 && !behind)
		return ckpt_hdf5_reject(key->h, CKPT_PROBLEM_HEADER, key->at,
					"the chunks of a tree are out of order");
	return key->r;
}

/* What a chunk takes up that no filter packs: shuffling keeps its length, a sum adds 4 bytes. */
static bool size_fits(const struct ckpt_hdf5_object *obj, uint64_t size, uint32_t mask)
{
	uint64_t plain = ckpt_hdf5_chunk_bytes(obj);

	if (obj->elsewhere >> FILTERS & 1)
		return true; /* not known */
	for (int i = 0; i < obj->n_filters; i++) {
		if (mask >> i & 1)
			continue;
		if (obj->filters[i] != SHUFFLE && obj->filters[i] != FLETCHER32)
			return true;
		plain += obj->filters[i] == FLETCHER32 ? 4 : 0;
	}
	return size == plain;
}

/* A key of a version 1 tree: size, filters left out, place in the data set. */
static int tree1_chunk(struct ckpt_hdf5_cur *key, uint64_t child, void *arg)
{
	struct chunks *c = arg;
	uint64_t size = ckpt_hdf5_uint(key, 4);
	uint32_t mask = (uint32_t)ckpt_hdf5_uint(key, 4);
	int r = key->r ? key->r : check_place(key, c);

	if (r == 0 && !size_fits(c->obj, size, mask))
		r = ckpt_hdf5_reject(key->h, CKPT_PROBLEM_HEADER, key->at,
				     "a chunk has another length than its shape");
	return r ? r : ckpt_hdf5_chunk(key->h, c->obj, child, size, mask);
}

static int tree2_chunk(struct ckpt_hdf5_cur *record, unsigned type, void *arg)
{
	const struct chunks *c = arg;
	uint64_t len = record->end - record->at, size = ckpt_hdf5_chunk_bytes(c->obj);
	uint64_t fixed = record->h->so + 4u + 8u * (unsigned)(c->obj->chunk_rank - 1);
	uint64_t addr = ckpt_hdf5_addr(record);
	uint32_t mask = 0;

	if (type != 10 && type != 11)
		return ckpt_hdf5_reject(record->h, CKPT_PROBLEM_HEADER, record->at,
					"a tree of chunks holds something else");
	if (type == 11) {
		if (len <= fixed || len > fixed + 8)
			return ckpt_hdf5_reject(record->h, CKPT_PROBLEM_HEADER, record->at,
						"a tree of chunks with records of a wrong size");
		size = ckpt_hdf5_uint(record, (unsigned)(len - fixed));
		mask = (uint32_t)ckpt_hdf5_uint(record, 4);
	}
	if (record->r || addr == CKPT_HDF5_NONE)
		return record->r;
	return ckpt_hdf5_chunk(record->h, c->obj, addr, size, mask);
}

/* All chunks of the data set, one behind the other. */
static int implicit(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	uint64_t size = ckpt_hdf5_chunk_bytes(obj);
	int r;

	for (int i = 0; i < obj->rank && i < obj->chunk_rank - 1; i++) {
		uint64_t chunk = obj->chunk_dims[i];

		if (chunk == 0 ||
		    __builtin_mul_overflow(
			    size, (obj->dims[i] / chunk) + (obj->dims[i] % chunk != 0), &size))
			return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, obj->addr,
						"more chunks than any file can hold");
	}
	h->unsummed++;
	r = ckpt_hdf5_charge_data(h, obj->addr, size, "the chunks");
	return r || !h->look ? r : ckpt_hdf5_look_range(h, obj->addr, size);
}

static int chunked(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	struct chunks c = { .obj = obj };
	struct ckpt_hdf5_tree tree = { .type = 1,
				       .key = 8 + 8 * (unsigned)obj->chunk_rank,
				       .same = 8,
				       .leaf = tree1_chunk,
				       .arg = &c };

	if (ckpt_hdf5_chunk_bytes(obj) == 0)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, obj->addr,
					"a chunk's shape that no file can hold");
	switch ((enum ckpt_hdf5_index)obj->index) {
	case CKPT_HDF5_TREE1:
		return ckpt_hdf5_tree1(h, obj->addr, &tree);
	case CKPT_HDF5_SINGLE:
		return ckpt_hdf5_chunk(h, obj, obj->addr, obj->size, obj->mask);
	case CKPT_HDF5_IMPLICIT:
		return implicit(h, obj);
	case CKPT_HDF5_FIXED:
		return ckpt_hdf5_fixed(h, obj);
	case CKPT_HDF5_EXTENSIBLE:
		return ckpt_hdf5_extensible(h, obj);
	case CKPT_HDF5_TREE2:
		return ckpt_hdf5_tree2(h, obj->addr, tree2_chunk, &c);
	}
	return 0;
}

/* Data in one piece are as long as space and type say. */
static int contiguous(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	uint64_t need = 0, size = obj->size;
	int r;

	if (obj->has_space && obj->has_type &&
	    __builtin_mul_overflow(obj->items, obj->type_size, &need))
		need = UINT64_MAX;
	if (size == UINT64_MAX) /* the layout does not say */
		size = need;
	if (size < need)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, obj->addr,
					"the data set has %llu bytes, but its shape needs %llu",
					(unsigned long long)size, (unsigned long long)need);
	r = ckpt_hdf5_charge_data(h, obj->addr, size, "the data");
	h->unsummed += size > 0;
	if (r == 0 && h->look)
		return ckpt_hdf5_look_range(h, obj->addr, need);
	return r ? r : ckpt_hdf5_variable(h, obj, obj->addr, size);
}

int ckpt_hdf5_data(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	if (obj->has_layout && obj->layout == CKPT_HDF5_VIRTUAL)
		ckpt_check_cap(h->check, CKPT_EVIDENCE_OPAQUE,
			       "the sources of virtual data sets are not looked at");
	if (!obj->has_layout || obj->layout > CKPT_HDF5_CHUNKED)
		return 0;
	if (obj->n_external)
		return ckpt_hdf5_external(h, obj);
	if (h->look && obj->layout == CKPT_HDF5_COMPACT)
		return ckpt_hdf5_look_range(h, obj->addr, obj->size);
	if (obj->layout == CKPT_HDF5_COMPACT || obj->addr == CKPT_HDF5_NONE)
		return 0; /* in the header, or never written */
	return obj->layout == CKPT_HDF5_CONTIGUOUS ? contiguous(h, obj) : chunked(h, obj);
}
