/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fractal heaps: a table of blocks whose sizes double from row to row, direct ones first, then
 * indirect ones that are such tables themselves.
 */
#include "core/format/hdf5/hdf5_walk.h"

/* A place in the table: an indirect block of @rows rows, that begins at @offset of the heap. */
struct table {
	uint64_t addr, offset;
	unsigned rows;
};

static unsigned log2_of(uint64_t v)
{
	return v ? 63u - (unsigned)__builtin_clzll(v) : 0;
}

static unsigned bytes_of(uint64_t limit)
{
	return log2_of(limit) / 8 + 1;
}

static uint64_t row_size(const struct ckpt_hdf5_heap *heap, unsigned row)
{
	unsigned shift = row < 2 ? 0 : row - 1, most = 63 - log2_of(heap->start);

	return heap->start << (shift < most ? shift : most);
}

static unsigned direct_rows(const struct ckpt_hdf5_heap *heap)
{
	return log2_of(heap->direct_max) - log2_of(heap->start) + 2;
}

/* Rows of the indirect block that covers @size bytes of the heap. */
static unsigned rows_for(const struct ckpt_hdf5_heap *heap, uint64_t size)
{
	unsigned first = log2_of(heap->start) + log2_of(heap->width);

	return log2_of(size) < first ? 0 : log2_of(size) - first + 1;
}

static unsigned offset_bytes(const struct ckpt_hdf5_heap *heap)
{
	return (heap->bits + 7) / 8;
}

static int direct_block(struct ckpt_hdf5_heap *heap, uint64_t addr, uint64_t size)
{
	struct ckpt_hdf5 *h = heap->h;
	struct ckpt_hdf5_cur cur;
	uint64_t owner;
	int r;

	if (heap->filter_len) { /* stored through filters: the size is another */
		h->unsummed++;
		return 0;
	}
	r = ckpt_hdf5_begin(h, &cur, addr, "FHDB");
	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 1);
	owner = ckpt_hdf5_addr(&cur);
	ckpt_hdf5_skip(&cur, offset_bytes(heap));
	if (cur.r)
		return cur.r;
	if (owner != heap->addr)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a heap's block belongs to another heap");
	r = ckpt_hdf5_charge(h, addr, size, "a heap's block");
	if (r == 0 && heap->summed)
		return ckpt_hdf5_sum_at(h, addr, size, cur.at - addr, "a heap's block");
	h->unsummed++;
	return r;
}

static unsigned entry_size(const struct ckpt_hdf5_heap *heap, unsigned row)
{
	bool filtered = heap->filter_len && row < direct_rows(heap);

	return heap->h->so + (filtered ? heap->h->sl + 4u : 0);
}

/* Bytes of an indirect block before its entries. */
static unsigned table_prefix(const struct ckpt_hdf5_heap *heap)
{
	return 5 + heap->h->so + offset_bytes(heap);
}

static int indirect_block(struct ckpt_hdf5_heap *heap, const struct table *table, int depth);

static int table_entry(struct ckpt_hdf5_heap *heap, struct ckpt_hdf5_cur *cur, unsigned row,
		       int depth)
{
	struct table next = { .addr = ckpt_hdf5_addr(cur) };

	ckpt_hdf5_skip(cur, entry_size(heap, row) - heap->h->so);
	if (cur->r || next.addr == CKPT_HDF5_NONE)
		return cur->r;
	if (row < direct_rows(heap))
		return direct_block(heap, next.addr, row_size(heap, row));
	next.rows = rows_for(heap, row_size(heap, row));
	return indirect_block(heap, &next, depth + 1);
}

static int indirect_block(struct ckpt_hdf5_heap *heap, const struct table *table, int depth)
{
	struct ckpt_hdf5_cur cur;
	uint64_t len = table_prefix(heap) + 4;
	int r = ckpt_hdf5_begin(heap->h, &cur, table->addr, "FHIB");

	if (r == 0 && (table->rows > 64 || depth > 64))
		r = ckpt_hdf5_reject(heap->h, CKPT_PROBLEM_HEADER, table->addr,
				     "a heap of more blocks than can be");
	if (r)
		return r;
	for (unsigned row = 0; row < table->rows; row++)
		len += (uint64_t)heap->width * entry_size(heap, row);
	r = ckpt_hdf5_sum(heap->h, table->addr, len, "a heap's table of blocks");
	cur.at = table->addr + table_prefix(heap);
	for (unsigned i = 0; i < table->rows * heap->width && r == 0; i++)
		r = table_entry(heap, &cur, i / heap->width, depth);
	return r;
}

/* The manager of free space that a heap names: its header, and the list of sections. */
static int free_space(struct ckpt_hdf5 *h, uint64_t addr)
{
	struct ckpt_hdf5_cur cur;
	uint64_t list, used;
	int r = ckpt_hdf5_begin(h, &cur, addr, "FSHD");

	ckpt_hdf5_skip(&cur, 2 + 4u * h->sl + 8 + h->sl);
	list = ckpt_hdf5_addr(&cur);
	used = ckpt_hdf5_len(&cur);
	ckpt_hdf5_len(&cur);
	r = r ? r : cur.r;
	r = r ? r : ckpt_hdf5_sum(h, addr, cur.at + 4 - addr, "the header of free space");
	if (r || list == CKPT_HDF5_NONE || used < 8)
		return r;
	r = ckpt_hdf5_begin(h, &cur, list, "FSSE");
	return r ? r : ckpt_hdf5_sum(h, list, used, "the list of free space");
}

static int ignore(struct ckpt_hdf5_cur *record, unsigned type, void *arg)
{
	(void)record;
	(void)type;
	(void)arg;
	return 0;
}

/* Reads the fields of the header; the sum is right. */
static int read_header(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_heap *heap)
{
	unsigned flags;
	uint64_t object_max;

	ckpt_hdf5_skip(cur, 1);
	heap->id_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	heap->filter_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	heap->summed = flags & 0x02;
	object_max = ckpt_hdf5_uint(cur, 4);
	ckpt_hdf5_len(cur);
	heap->huge_tree = ckpt_hdf5_addr(cur);
	ckpt_hdf5_len(cur);
	heap->free_space = ckpt_hdf5_addr(cur);
	ckpt_hdf5_skip(cur, 8u * cur->h->sl);
	heap->width = (unsigned)ckpt_hdf5_uint(cur, 2);
	heap->start = ckpt_hdf5_len(cur);
	heap->direct_max = ckpt_hdf5_len(cur);
	heap->bits = (unsigned)ckpt_hdf5_uint(cur, 2);
	ckpt_hdf5_skip(cur, 2);
	heap->root = ckpt_hdf5_addr(cur);
	heap->root_rows = (unsigned)ckpt_hdf5_uint(cur, 2);
	if (heap->filter_len)
		ckpt_hdf5_skip(cur, cur->h->sl + 4u + heap->filter_len);
	heap->off_len = offset_bytes(heap);
	heap->len_len = (log2_of(heap->direct_max) + 7) / 8;
	if (bytes_of(object_max) < heap->len_len)
		heap->len_len = bytes_of(object_max);
	return cur->r;
}

static bool power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

int ckpt_hdf5_heap_open(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_heap *ret)
{
	struct ckpt_hdf5_cur cur;
	int r = ckpt_hdf5_begin(h, &cur, addr, "FRHP");

	*ret = (struct ckpt_hdf5_heap) { .h = h, .addr = addr };
	r = r ? r : read_header(&cur, ret);
	r = r ? r : ckpt_hdf5_sum(h, addr, cur.at + 4 - addr, "a heap's header");
	if (r)
		return r;
	if (!power_of_two(ret->width) || !power_of_two(ret->start) ||
	    !power_of_two(ret->direct_max) || ret->direct_max < ret->start || ret->bits > 64 ||
	    ret->direct_max >> 48 || ret->len_len > 8)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a heap of sizes that cannot be");
	if (ret->root != CKPT_HDF5_NONE && ret->root_rows == 0)
		r = direct_block(ret, ret->root, ret->start);
	else if (ret->root != CKPT_HDF5_NONE)
		r = indirect_block(ret, &(struct table) { ret->root, 0, ret->root_rows }, 0);
	if (r == 0 && ret->free_space != CKPT_HDF5_NONE)
		r = free_space(h, ret->free_space);
	if (r == 0 && ret->huge_tree != CKPT_HDF5_NONE)
		r = ckpt_hdf5_tree2(h, ret->huge_tree, ignore, NULL);
	return r;
}

/* Which entry of @table holds @offset of the heap: its row, and the table or block below. */
static int descend(struct ckpt_hdf5_heap *heap, struct table *table, uint64_t offset,
		   unsigned *ret_row)
{
	uint64_t at = table->offset, size = 0, entry = table->addr + table_prefix(heap);
	struct ckpt_hdf5_cur cur = { .h = heap->h, .end = heap->h->end };
	unsigned row;

	for (row = 0; row < table->rows; row++) {
		size = row_size(heap, row);
		if ((offset - at) / size < heap->width)
			break;
		at += size * heap->width;
		entry += (uint64_t)heap->width * entry_size(heap, row);
	}
	if (row == table->rows || table->addr == CKPT_HDF5_NONE)
		return ckpt_hdf5_reject(heap->h, CKPT_PROBLEM_HEADER, table->addr,
					"an object is not in its heap");
	cur.at = entry + (offset - at) / size * entry_size(heap, row);
	table->offset = at + (offset - at) / size * size;
	table->addr = ckpt_hdf5_addr(&cur);
	table->rows = rows_for(heap, size);
	*ret_row = row;
	return cur.r;
}

int ckpt_hdf5_heap_find(struct ckpt_hdf5_heap *heap, struct ckpt_hdf5_cur *id,
			struct ckpt_hdf5_cur *ret)
{
	struct table table = { heap->root, 0, heap->root_rows };
	unsigned kind = (unsigned)ckpt_hdf5_uint(id, 1), row = 0;
	uint64_t offset = ckpt_hdf5_uint(id, heap->off_len),
		 len = ckpt_hdf5_uint(id, heap->len_len);
	uint64_t at, block = heap->start;
	int r = id->r;

	*ret = (struct ckpt_hdf5_cur) { .h = NULL };
	if (r || (kind & 0x30) != 0 || heap->filter_len)
		return r;
	if (heap->root_rows > 0)
		for (row = direct_rows(heap); r == 0 && row >= direct_rows(heap);) {
			r = descend(heap, &table, offset, &row);
			block = row_size(heap, row);
		}
	if (r)
		return r;
	at = offset - table.offset;
	if (table.addr == CKPT_HDF5_NONE || at >= block || len > block - at)
		return ckpt_hdf5_reject(heap->h, CKPT_PROBLEM_HEADER, heap->addr,
					"an object is not in its heap");
	r = ckpt_hdf5_begin(heap->h, ret, table.addr + at, NULL);
	ret->end = table.addr + at + len;
	return r;
}
