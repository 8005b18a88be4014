/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of an object header that say where its data and members are. All others are stepped
 * over.
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

#define UNLIMITED UINT64_MAX
/* Classes whose elements may lie in global heaps, which have no checksum: compound, reference,
 * variable length, array. */
#define REFERRING (1u << 6 | 1u << 7 | 1u << 9 | 1u << 10)

static int bad(struct ckpt_hdf5_cur *cur, const char *what)
{
	return ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at, "%s", what);
}

static int dataspace(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1), kind = 1;
	int rank = (int)ckpt_hdf5_uint(cur, 1);

	if (cur->r == 0 && (version < 1 || version > 2 || rank > CKPT_HDF5_RANK))
		return bad(cur, "a data space that HDF5 does not have");
	ckpt_hdf5_skip(cur, 1);
	if (version == 1)
		ckpt_hdf5_skip(cur, 5);
	else
		kind = (unsigned)ckpt_hdf5_uint(cur, 1);
	obj->items = kind == 2 ? 0 : 1;
	obj->rank = rank;
	for (int i = 0; i < rank; i++) {
		obj->dims[i] = ckpt_hdf5_len(cur);
		if (__builtin_mul_overflow(obj->items, obj->dims[i], &obj->items))
			return bad(cur, "the data set's dimensions are larger than any file");
	}
	obj->has_space = cur->r == 0;
	return cur->r;
}

/* Bits of a float's exponent, behind where its bits are and how many. */
static int exponent(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	if (cur->end - cur->at < 6)
		return 0;
	ckpt_hdf5_skip(cur, 5);
	obj->exponent = (uint8_t)ckpt_hdf5_uint(cur, 1);
	return cur->r;
}

static int datatype(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_object *obj)
{
	unsigned first = (unsigned)ckpt_hdf5_uint(cur, 1), bits = (unsigned)ckpt_hdf5_uint(cur, 3);

	obj->type_size = ckpt_hdf5_uint(cur, 4);
	if (cur->r)
		return cur->r;
	if (first >> 4 < 1 || first >> 4 > 5 || (first & 15) > 11)
		return bad(cur, "a data type that HDF5 does not have");
	obj->type_class = first & 15;
	obj->big = bits & 1;
	obj->is_signed = bits & 8;
	obj->has_type = true;
	cur->h->unsummed += (REFERRING >> obj->type_class) & 1;
	return obj->type_class == 1 && !(bits & 0x40) ? exponent(cur, obj) : 0;
}

/* The value that elements have which nobody wrote. Messages: 0x05, and 0x04 before 1.6. */
static int fill_value(struct ckpt_hdf5_cur *cur, unsigned type, struct ckpt_hdf5_object *obj)
{
	unsigned version = type == 0x05 ? (unsigned)ckpt_hdf5_uint(cur, 1) : 0;
	bool defined = true;
	uint64_t size;

	if (version == 3) {
		defined = ckpt_hdf5_uint(cur, 1) & 0x20;
	} else if (version) {
		ckpt_hdf5_skip(cur, 2);
		defined = ckpt_hdf5_uint(cur, 1) || version == 1;
	}
	size = defined ? ckpt_hdf5_uint(cur, 4) : 0;
	if (cur->r || size == 0 || size > cur->end - cur->at)
		return cur->r;
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
		return cur->r;
	case CKPT_HDF5_CONTIGUOUS:
		obj->addr = ckpt_hdf5_addr(cur);
		obj->size = ckpt_hdf5_len(cur);
		return cur->r;
	case CKPT_HDF5_CHUNKED:
		return layout_chunked(cur, version, obj);
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
	return cur->r ? cur->r : ckpt_hdf5_add(cur->h, addr, name_at, len);
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
		return cur->h->look ? fill_value(cur, type, obj) : 0;
	case 0x06:
		return ckpt_hdf5_link(cur);
	case 0x07:
		return ckpt_hdf5_external_list(cur, obj);
	case 0x08:
		return layout(cur, obj);
	case 0x0b:
		return filters(cur, obj);
	case 0x0c:
		return ckpt_hdf5_attribute(cur);
	case 0x0f:
		return ckpt_hdf5_shared_table(cur);
	case 0x11:
		obj->is_group = true;
		obj->table_tree = ckpt_hdf5_addr(cur);
		obj->table_heap = ckpt_hdf5_addr(cur);
		return cur->r;
	case 0x15:
		return dense_info(cur, 2, &obj->attributes);
	}
	return 0;
}
