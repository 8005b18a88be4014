/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of an object header that say where its data and members are. All others are stepped
 * over.
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

#define UNLIMITED UINT64_MAX
#define LIMITS 0x01u /* flag of a data space: how large its dimensions may become */
/* Classes whose elements may lie in global heaps, which have no checksum: compound, reference,
 * variable length, array. */
#define REFERRING (1u << 6 | 1u << 7 | 1u << 9 | 1u << 10)

static int bad(struct ckpt_hdf5_cur *cur, const char *what)
{
	return ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at, "%s", what);
}

/* In a header without a checksum a message is as long as what it says, in whole words. */
static int ended(struct ckpt_hdf5_cur *cur, const struct ckpt_hdf5_object *obj)
{
	if (cur->r || obj->summed || cur->end - cur->at < 8)
		return cur->r;
	return bad(cur, "a message is longer than what it says");
}

/* The dimensions, and what they may become where @limits are there. */
static int dimensions(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj, bool limits)
{
	uint64_t none = UINT64_MAX >> (64 - 8 * cur->h->sl);

	for (int i = 0; i < obj->rank; i++) {
		obj->dims[i] = obj->most[i] = ckpt_hdf5_len(cur);
		if (__builtin_mul_overflow(obj->items, obj->dims[i], &obj->items))
			return bad(cur, "the data set's dimensions are larger than any file");
	}
	for (int i = 0; i < obj->rank && limits; i++) {
		obj->most[i] = ckpt_hdf5_len(cur);
		if (obj->most[i] == none)
			obj->most[i] = UINT64_MAX;
		if (cur->r == 0 && obj->most[i] < obj->dims[i])
			return bad(cur, "a dimension is larger than it may become");
	}
	return cur->r;
}

/* IV.A.2.b. Version 1 has a flag for a permutation, which was never implemented. */
static int dataspace(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1), kind = 1, flags;
	int rank = (int)ckpt_hdf5_uint(cur, 1), r;

	flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	if (cur->r == 0 && (version < 1 || version > 2 || rank > CKPT_HDF5_RANK || flags & ~LIMITS))
		return bad(cur, "a data space that HDF5 does not have");
	if (version == 1)
		ckpt_hdf5_skip(cur, 5);
	else
		kind = (unsigned)ckpt_hdf5_uint(cur, 1);
	if (cur->r == 0 && (kind > 2 || (kind != 1 && rank > 0)))
		return bad(cur, "a data space that HDF5 does not have");
	obj->items = kind == 2 ? 0 : 1;
	obj->rank = rank;
	r = dimensions(cur, obj, flags & LIMITS);
	obj->has_space = cur->r == 0;
	return r ? r : ended(cur, obj);
}

/* IV.A.2.d: the bits of a number lie in it, those of a float's parts too. */
static int fixed(struct ckpt_hdf5_cur *cur, const struct ckpt_hdf5_object *obj)
{
	uint64_t offset = ckpt_hdf5_uint(cur, 2), precision = ckpt_hdf5_uint(cur, 2);

	if (cur->r == 0 && (precision == 0 || offset + precision > 8 * obj->type_size))
		return bad(cur, "a number has more bits than its size");
	return cur->r;
}

/* @flags: the type's 24 bits: 4 and 5 how it is normalized, 6 the order of VAX, 8 to 15 the sign.
 */
static int floating(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj, unsigned flags)
{
	uint64_t offset = ckpt_hdf5_uint(cur, 2), precision = ckpt_hdf5_uint(cur, 2);
	uint64_t at = ckpt_hdf5_uint(cur, 1), bits = ckpt_hdf5_uint(cur, 1);
	uint64_t mantissa_at = ckpt_hdf5_uint(cur, 1), mantissa = ckpt_hdf5_uint(cur, 1);
	uint64_t end = offset + precision, bias = ckpt_hdf5_uint(cur, 4);

	if (cur->r == 0 && (end > 8 * obj->type_size || at + bits > end ||
			    mantissa_at + mantissa > end || bits == 0 || mantissa == 0 ||
			    bits + mantissa + 1 > precision || (flags >> 8 & 0xff) >= end))
		return bad(cur, "a float has more bits than its size");
	if (cur->r == 0 && ((flags & 0x30) == 0x30 || (bits < 32 && bias >> bits)))
		return bad(cur, "a float that HDF5 does not have");
	obj->exponent = flags & 0x40 ? 0 : (uint8_t)bits;
	return cur->r;
}

static int datatype(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned first = (unsigned)ckpt_hdf5_uint(cur, 1), bits = (unsigned)ckpt_hdf5_uint(cur, 3);
	int r = 0;

	obj->type_size = ckpt_hdf5_uint(cur, 4);
	if (cur->r)
		return cur->r;
	if (first >> 4 < 1 || first >> 4 > 5 || (first & 15) > 11 || obj->type_size == 0)
		return bad(cur, "a data type that HDF5 does not have");
	obj->type_class = first & 15;
	obj->big = bits & 1;
	obj->is_signed = bits & 8;
	obj->has_type = true;
	cur->h->unsummed += (REFERRING >> obj->type_class) & 1;
	if (obj->type_class == 0)
		r = fixed(cur, obj);
	else if (obj->type_class == 1)
		r = floating(cur, obj, bits);
	return r || obj->type_class > 1 ? r : ended(cur, obj);
}

/* The value that elements have which nobody wrote. Messages: 0x05, and 0x04 before 1.6. Where none
 * is defined its length is 0 or negative. */
static int fill_value(struct ckpt_hdf5_cur *cur, unsigned type, struct ckpt_hdf5_object *obj)
{
	unsigned version = type == 0x05 ? (unsigned)ckpt_hdf5_uint(cur, 1) : 0;
	bool defined = true;
	uint64_t size;

	if (cur->r == 0 && version > 3)
		return bad(cur, "a fill value that HDF5 does not have");
	if (version == 3) {
		defined = ckpt_hdf5_uint(cur, 1) & 0x20;
	} else if (version) {
		ckpt_hdf5_skip(cur, 2);
		defined = ckpt_hdf5_uint(cur, 1) || version == 1;
	}
	size = defined ? ckpt_hdf5_uint(cur, 4) : 0;
	if (cur->r || size == 0 || size > INT32_MAX)
		return cur->r;
	if (size > cur->end - cur->at)
		return bad(cur, "a fill value is longer than its message");
	return ckpt_hdf5_read(cur->h, cur->at, obj->fill,
			      size < sizeof(obj->fill) ? size : sizeof(obj->fill));
}

/* Version 1 and 2: dimensions of 32 bit, for chunks with the element's size as the last. */
static int layout_old(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	int n = (int)ckpt_hdf5_uint(cur, 1);

	obj->layout = (int)ckpt_hdf5_uint(cur, 1);
	ckpt_hdf5_skip(cur, 5);
	if (cur->r == 0 && n > CKPT_HDF5_RANK + 1)
		return bad(cur, "a layout that HDF5 does not have");
	if (obj->layout != CKPT_HDF5_COMPACT)
		obj->addr = ckpt_hdf5_addr(cur);
	for (int i = 0; i < n; i++)
		obj->chunk_dims[i] = ckpt_hdf5_uint(cur, 4);
	obj->chunk_rank = n;
	if (obj->layout == CKPT_HDF5_COMPACT) {
		obj->size = ckpt_hdf5_uint(cur, 4);
		obj->addr = cur->at;
		ckpt_hdf5_skip(cur, obj->size);
	} else if (obj->layout == CKPT_HDF5_CONTIGUOUS) {
		obj->size = UNLIMITED; /* the data space's */
	}
	return cur->r;
}

/* How the chunks of a version 4 layout are found. */
static int chunk_index(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	static const uint8_t parameters[] = {
		[CKPT_HDF5_FIXED] = 1, [CKPT_HDF5_EXTENSIBLE] = 5, [CKPT_HDF5_TREE2] = 6
	};

	obj->index = (int)ckpt_hdf5_uint(cur, 1);
	if (cur->r)
		return cur->r;
	if (obj->index < CKPT_HDF5_SINGLE || obj->index > CKPT_HDF5_TREE2)
		return bad(cur, "an index of chunks that HDF5 does not have");
	obj->size = ckpt_hdf5_chunk_bytes(obj);
	if (obj->index == CKPT_HDF5_SINGLE && (obj->chunk_flags & 0x02)) {
		obj->size = ckpt_hdf5_len(cur);
		obj->mask = (uint32_t)ckpt_hdf5_uint(cur, 4);
	}
	ckpt_hdf5_skip(cur, parameters[obj->index]);
	obj->addr = ckpt_hdf5_addr(cur);
	return cur->r;
}

static int layout_chunked(struct ckpt_hdf5_cur *cur, unsigned version, struct ckpt_hdf5_object *obj)
{
	unsigned wide = 4;

	if (version >= 4)
		obj->chunk_flags = (uint8_t)ckpt_hdf5_uint(cur, 1);
	obj->chunk_rank = (int)ckpt_hdf5_uint(cur, 1);
	if (version >= 4)
		wide = (unsigned)ckpt_hdf5_uint(cur, 1);
	else
		obj->addr = ckpt_hdf5_addr(cur);
	if (cur->r)
		return cur->r;
	if (obj->chunk_rank < 1 || obj->chunk_rank > CKPT_HDF5_RANK + 1 || wide < 1 || wide > 8)
		return bad(cur, "a chunk's shape that HDF5 does not have");
	for (int i = 0; i < obj->chunk_rank; i++)
		obj->chunk_dims[i] = ckpt_hdf5_uint(cur, wide);
	return version >= 4 ? chunk_index(cur, obj) : cur->r;
}

static int layout(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1);
	int r;

	obj->has_layout = cur->r == 0;
	if (cur->r == 0 && (version < 1 || version > 5))
		return bad(cur, "a layout that HDF5 does not have");
	if (version < 3)
		return layout_old(cur, obj);
	obj->layout = (int)ckpt_hdf5_uint(cur, 1);
	switch (obj->layout) {
	case CKPT_HDF5_COMPACT:
		obj->size = ckpt_hdf5_uint(cur, 2);
		obj->addr = cur->at;
		ckpt_hdf5_skip(cur, obj->size);
		return ended(cur, obj);
	case CKPT_HDF5_CONTIGUOUS:
		obj->addr = ckpt_hdf5_addr(cur);
		obj->size = ckpt_hdf5_len(cur);
		return ended(cur, obj);
	case CKPT_HDF5_CHUNKED:
		r = layout_chunked(cur, version, obj);
		return r ? r : ended(cur, obj);
	case CKPT_HDF5_VIRTUAL:
		return cur->r;
	}
	return cur->r ? cur->r : bad(cur, "a layout that HDF5 does not have");
}

static int filters(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1), name, values;
	int n = (int)ckpt_hdf5_uint(cur, 1);

	if (cur->r == 0 && (version < 1 || version > 2 || n > CKPT_HDF5_FILTERS))
		return bad(cur, "filters that HDF5 does not have");
	if (version == 1)
		ckpt_hdf5_skip(cur, 6);
	for (int i = 0; i < n && cur->r == 0; i++) {
		obj->filters[i] = (uint16_t)ckpt_hdf5_uint(cur, 2);
		name = 0;
		if (version == 1 || obj->filters[i] >= 256)
			name = (unsigned)ckpt_hdf5_uint(cur, 2);
		ckpt_hdf5_skip(cur, 2);
		values = (unsigned)ckpt_hdf5_uint(cur, 2);
		if (version == 1)
			name = (name + 7) / 8 * 8;
		ckpt_hdf5_skip(cur, name + 4ul * values + (version == 1 && values % 2 ? 4 : 0));
	}
	obj->n_filters = n;
	return cur->r;
}

/* Link info and attribute info: the addresses of heap and tree, behind an optional counter. */
static int dense_info(struct ckpt_hdf5_cur *cur, unsigned counter, struct ckpt_hdf5_dense *ret)
{
	unsigned flags;

	ckpt_hdf5_skip(cur, 1);
	flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	if (flags & 1)
		ckpt_hdf5_skip(cur, counter);
	ret->heap = ckpt_hdf5_addr(cur);
	ret->names = ckpt_hdf5_addr(cur);
	if (flags & 2)
		ret->order = ckpt_hdf5_addr(cur);
	return cur->r;
}

int ckpt_hdf5_link(struct ckpt_hdf5_cur *cur)
{
	unsigned flags, kind = 0;
	uint64_t len, name_at, addr;

	ckpt_hdf5_skip(cur, 1);
	flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	if (flags & 0x08)
		kind = (unsigned)ckpt_hdf5_uint(cur, 1);
	ckpt_hdf5_skip(cur, (flags & 0x04 ? 8 : 0) + (flags & 0x10 ? 1 : 0));
	len = ckpt_hdf5_uint(cur, 1u << (flags & 3));
	name_at = cur->at;
	ckpt_hdf5_skip(cur, len);
	if (cur->r || kind != 0)
		return cur->r;
	addr = ckpt_hdf5_addr(cur);
	if (cur->r)
		return cur->r;
	return ckpt_hdf5_add(cur->h, &(const struct ckpt_hdf5_known) { .addr = addr,
								       .name_at = name_at,
								       .name_len = (uint32_t)len });
}

/* IV.A.2.t, of a superblock's extension: the file's own sizes of tree nodes and tables. */
static int tree_ranks(struct ckpt_hdf5_cur *cur)
{
	uint64_t version = ckpt_hdf5_uint(cur, 1), k[3];

	for (int i = 0; i < 3; i++) {
		k[i] = ckpt_hdf5_uint(cur, 2);
		if (cur->r == 0 && k[i] == 0)
			return bad(cur, "a tree's nodes have room for nothing");
	}
	if (cur->r == 0 && version != 0)
		return bad(cur, "sizes of trees in a version that HDF5 does not have");
	cur->h->tree_k[1] = (unsigned)k[0];
	cur->h->tree_k[0] = (unsigned)k[1];
	cur->h->leaf_k = (unsigned)k[2];
	return cur->r;
}

int ckpt_hdf5_message(struct ckpt_hdf5_cur *cur, unsigned type, struct ckpt_hdf5_object *obj)
{
	switch (type) {
	case 0x01:
		return dataspace(cur, obj);
	case 0x02:
		obj->is_group = true;
		return dense_info(cur, 8, &obj->links);
	case 0x03:
		return datatype(cur, obj);
	case 0x04:
	case 0x05:
		return fill_value(cur, type, obj);
	case 0x06:
		return ckpt_hdf5_link(cur);
	case 0x07:
		return ckpt_hdf5_external_list(cur, obj);
	case 0x08:
		return layout(cur, obj);
	case 0x0b:
		return filters(cur, obj);
	case 0x0c:
		return ckpt_hdf5_attribute(cur, obj->summed);
	case 0x0f:
		return ckpt_hdf5_shared_table(cur);
	case 0x11:
		obj->is_group = true;
		obj->table_tree = ckpt_hdf5_addr(cur);
		obj->table_heap = ckpt_hdf5_addr(cur);
		return ended(cur, obj);
	case 0x13:
		return tree_ranks(cur);
	case 0x15:
		return dense_info(cur, 2, &obj->attributes);
	}
	return 0;
}
