/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed and extensible arrays: the indexes of chunks where none, or one, of the dimensions may
 * grow. Large blocks of both are in pages of their own checksums; pages never written are known
 * from a bit map.
 */
#include "core/format/hdf5/hdf5_walk.h"

/* What fixed and extensible arrays have in common. */
struct array {
	struct ckpt_hdf5 *h;
	const struct ckpt_hdf5_object *obj;
	const char *block; /* signature of a block of elements */
	uint64_t addr;	   /* of its header */
	unsigned element, page_bits, offset_len;
	bool filtered;
};

/* A block of elements: where, how many, and its bits of pages written (at 0 = all are). */
struct block {
	uint64_t addr, n, bits_at;
};

static int element(struct array *a, struct ckpt_hdf5_cur *cur)
{
	uint64_t addr = ckpt_hdf5_addr(cur), size = ckpt_hdf5_chunk_bytes(a->obj);
	uint32_t mask = 0;

	if (a->filtered) {
		size = ckpt_hdf5_uint(cur, a->element - a->h->so - 4);
		mask = (uint32_t)ckpt_hdf5_uint(cur, 4);
	}
	if (cur->r || addr == CKPT_HDF5_NONE)
		return cur->r;
	return ckpt_hdf5_chunk(a->h, a->obj, addr, size, mask);
}

static int elements(struct array *a, struct ckpt_hdf5_cur *cur, uint64_t n)
{
	int r = cur->r;

	for (uint64_t i = 0; i < n && r == 0; i++)
		r = element(a, cur);
	return r;
}

static bool sizes_fit(const struct array *a)
{
	if (a->page_bits > 32 || ckpt_hdf5_chunk_bytes(a->obj) == 0)
		return false;
	if (!a->filtered)
		return a->element == a->h->so;
	return a->element >= a->h->so + 5u && a->element <= a->h->so + 12u;
}

static int bad_sizes(struct array *a)
{
	return ckpt_hdf5_reject(a->h, CKPT_PROBLEM_HEADER, a->addr,
				"an array of chunks of sizes that cannot be");
}

/* Page @i of those of a block: @n elements at @addr. */
static int page(struct array *a, uint64_t addr, uint64_t n)
{
	struct ckpt_hdf5_cur cur;
	int r = ckpt_hdf5_begin(a->h, &cur, addr, NULL);

	r = r ? r : ckpt_hdf5_sum(a->h, addr, n * a->element + 4, "a page of an array of chunks");
	return r ? r : elements(a, &cur, n);
}

/* True if the bit map says that page @i was written. */
static int page_written(struct array *a, const struct block *block, uint64_t i, bool *ret)
{
	uint8_t byte;
	int r = ckpt_hdf5_read(a->h, block->bits_at + i / 8, &byte, 1);

	*ret = r == 0 && (byte & (0x80 >> i % 8));
	return r;
}

static int pages(struct array *a, const struct block *block, uint64_t at)
{
	uint64_t per = 1ull << a->page_bits, n;
	bool written;
	int r = 0;

	for (uint64_t first = 0, i = 0; first < block->n && r == 0; first += per, i++) {
		n = block->n - first < per ? block->n - first : per;
		r = page_written(a, block, i, &written);
		if (r == 0 && written)
			r = page(a, at, n);
		at += per * a->element + 4;
	}
	return r;
}

static uint64_t bitmap_size(const struct array *a, uint64_t n)
{
	uint64_t per = 1ull << a->page_bits;

	return n > per ? ((n + per - 1) / per + 7) / 8 : 0;
}

/* The block's head, then its elements or pages. @bits: a bit map stands in the block itself. */
static int data_block(struct array *a, struct block block, bool bits)
{
	struct ckpt_hdf5_cur cur;
	bool paged = block.n >> a->page_bits && block.n > 1ull << a->page_bits;
	uint64_t owner, inside = paged ? 0 : block.n * a->element;
	int r = ckpt_hdf5_begin(a->h, &cur, block.addr, a->block);

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 2);
	owner = ckpt_hdf5_addr(&cur);
	ckpt_hdf5_skip(&cur, a->offset_len);
	if (bits && paged) {
		block.bits_at = cur.at;
		ckpt_hdf5_skip(&cur, bitmap_size(a, block.n));
	}
	if (cur.r)
		return cur.r;
	if (owner != a->addr)
		return ckpt_hdf5_reject(a->h, CKPT_PROBLEM_HEADER, block.addr,
					"a block belongs to another array");
	r = ckpt_hdf5_sum(a->h, block.addr, cur.at - block.addr + inside + 4,
			  "a block of an array of chunks");
	if (r)
		return r;
	return paged ? pages(a, &block, cur.at + 4) : elements(a, &cur, block.n);
}

int ckpt_hdf5_fixed(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	struct array a = { .h = h, .obj = obj, .block = "FADB", .addr = obj->addr };
	struct block block = { 0 };
	struct ckpt_hdf5_cur cur;
	int r = ckpt_hdf5_begin(h, &cur, obj->addr, "FAHD");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 1);
	a.filtered = ckpt_hdf5_uint(&cur, 1) == 1;
	a.element = (unsigned)ckpt_hdf5_uint(&cur, 1);
	a.page_bits = (unsigned)ckpt_hdf5_uint(&cur, 1);
	block.n = ckpt_hdf5_len(&cur);
	block.addr = ckpt_hdf5_addr(&cur);
	r = cur.r ? cur.r
		  : ckpt_hdf5_sum(h, obj->addr, cur.at + 4 - obj->addr, "an array of chunks");
	if (r || block.addr == CKPT_HDF5_NONE)
		return r;
	if (!sizes_fit(&a) || block.n > h->end)
		return bad_sizes(&a);
	return data_block(&a, block, true);
}

/* The shape of an extensible array. */
struct shape {
	struct array a;
	unsigned max_bits, in_index, block_min, pointers_min;
	uint64_t index;
	unsigned supers,
		first_super; /* super blocks; how many of them the index block stands for */
};

static unsigned log2_of(uint64_t v)
{
	return v ? 63u - (unsigned)__builtin_clzll(v) : 0;
}

/* Data blocks in super block @i, and elements in each of them. */
static uint64_t blocks_of(unsigned i)
{
	return 1ull << (i / 2);
}

static uint64_t block_elements(const struct shape *s, unsigned i)
{
	return (uint64_t)s->block_min << ((i + 1) / 2);
}

static bool shape_fits(struct shape *s)
{
	if (s->max_bits > 60 || s->block_min < 1 || (s->block_min & (s->block_min - 1)) ||
	    s->pointers_min < 1 || (s->pointers_min & (s->pointers_min - 1)) ||
	    log2_of(s->block_min) > s->max_bits || !sizes_fit(&s->a))
		return false;
	s->supers = 1 + s->max_bits - log2_of(s->block_min);
	s->first_super = 2 * log2_of(s->pointers_min);
	return s->first_super <= s->supers;
}

/* The data blocks of super block @i, whose addresses @cur stands at. */
static int super_children(struct shape *s, struct ckpt_hdf5_cur *cur, unsigned i, uint64_t bits_at)
{
	struct block block = { .n = block_elements(s, i), .bits_at = bits_at };
	uint64_t bits = bitmap_size(&s->a, block.n);
	int r = cur->r;

	for (uint64_t k = 0; k < blocks_of(i) && r == 0; k++) {
		block.addr = ckpt_hdf5_addr(cur);
		r = cur->r;
		if (r == 0 && block.addr != CKPT_HDF5_NONE)
			r = data_block(&s->a, block, bits_at == 0);
		block.bits_at += bits;
	}
	return r;
}

static int super_block(struct shape *s, uint64_t addr, unsigned i)
{
	struct ckpt_hdf5 *h = s->a.h;
	struct ckpt_hdf5_cur cur;
	uint64_t len, bits_at, bits = blocks_of(i) * bitmap_size(&s->a, block_elements(s, i));
	int r = ckpt_hdf5_begin(h, &cur, addr, "EASB");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 2u + h->so + s->a.offset_len);
	bits_at = cur.at;
	ckpt_hdf5_skip(&cur, bits);
	len = cur.at - addr + blocks_of(i) * h->so + 4;
	r = cur.r ? cur.r : ckpt_hdf5_sum(h, addr, len, "a super block of chunks");
	return r ? r : super_children(s, &cur, i, bits_at);
}

/* The index block: elements, data blocks of the first super blocks, then the other super blocks. */
static int index_block(struct shape *s)
{
	struct ckpt_hdf5 *h = s->a.h;
	struct ckpt_hdf5_cur cur;
	uint64_t pointers = 2ull * (s->pointers_min - 1) + s->supers - s->first_super, addr;
	int r = ckpt_hdf5_begin(h, &cur, s->index, "EAIB");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 2u + h->so);
	r = cur.r ? cur.r
		  : ckpt_hdf5_sum(h, s->index,
				  cur.at - s->index + (uint64_t)s->in_index * s->a.element +
					  pointers * h->so + 4,
				  "the index block of chunks");
	r = r ? r : elements(&s->a, &cur, s->in_index);
	for (unsigned i = 0; i < s->first_super && r == 0; i++)
		r = super_children(s, &cur, i, 0);
	for (unsigned i = s->first_super; i < s->supers && r == 0; i++) {
		addr = ckpt_hdf5_addr(&cur);
		r = cur.r;
		if (r == 0 && addr != CKPT_HDF5_NONE)
			r = super_block(s, addr, i);
	}
	return r;
}

int ckpt_hdf5_extensible(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	struct shape s = { .a = { .h = h, .obj = obj, .block = "EADB", .addr = obj->addr } };
	struct ckpt_hdf5_cur cur;
	int r = ckpt_hdf5_begin(h, &cur, obj->addr, "EAHD");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 1);
	s.a.filtered = ckpt_hdf5_uint(&cur, 1) == 1;
	s.a.element = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.max_bits = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.in_index = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.block_min = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.pointers_min = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.a.page_bits = (unsigned)ckpt_hdf5_uint(&cur, 1);
	s.a.offset_len = (s.max_bits + 7) / 8;
	ckpt_hdf5_skip(&cur, 6u * h->sl);
	s.index = ckpt_hdf5_addr(&cur);
	r = cur.r ? cur.r
		  : ckpt_hdf5_sum(h, obj->addr, cur.at + 4 - obj->addr, "an array of chunks");
	if (r || s.index == CKPT_HDF5_NONE)
		return r;
	return shape_fits(&s) ? index_block(&s) : bad_sizes(&s.a);
}
