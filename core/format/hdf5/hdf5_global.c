/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of variable length: each is a length, the address of a global heap, and an index in it.
 * The heaps that are named must be where the file says.
 */
#include <stdio.h>
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"
#include "wire/text.h"

#define VARIABLE 9 /* class of such types */

/* The heap at @addr: a cursor over its objects. */
static int open_heap(struct ckpt_hdf5 *h, uint64_t addr, struct ckpt_hdf5_cur *ret)
{
	uint64_t size;
	int r = ckpt_hdf5_begin(h, ret, addr, "GCOL");

	if (r)
		return r;
	ckpt_hdf5_skip(ret, 4);
	size = ckpt_hdf5_len(ret);
	if (ret->r)
		return ret->r;
	if (size > h->end - addr || size < ret->at - addr)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a global heap of %llu bytes is not inside the file",
					(unsigned long long)size);
	ret->end = addr + size;
	return 0;
}

int ckpt_hdf5_variable(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *value, uint64_t addr,
		       uint64_t size)
{
	struct ckpt_hdf5_cur cur = { .h = h, .at = addr, .end = addr + size }, heap;
	uint64_t last = 0, at, each = 8u + h->so;
	int r = 0;

	if (!value->has_type || value->type_class != VARIABLE || value->type_size != each)
		return 0;
	for (uint64_t i = 0; r == 0 && i < size / each && i < value->items; i++) {
		ckpt_hdf5_skip(&cur, 4);
		at = ckpt_hdf5_addr(&cur);
		ckpt_hdf5_skip(&cur, 4);
		r = cur.r;
		if (r || at == last || at == 0 || at == CKPT_HDF5_NONE)
			continue;
		r = open_heap(h, at, &heap);
		last = at;
	}
	return r;
}

void ckpt_hdf5_text(struct ckpt_hdf5 *h, uint64_t addr, char *ret, size_t size)
{
	struct ckpt_hdf5_cur cur = { .h = h, .at = addr, .end = h->end }, heap;
	uint64_t len = ckpt_hdf5_uint(&cur, 4), at = ckpt_hdf5_addr(&cur);
	uint64_t wanted = ckpt_hdf5_uint(&cur, 4), index, n;

	ret[0] = '\0';
	if (cur.r || at == 0 || at == CKPT_HDF5_NONE || open_heap(h, at, &heap))
		return;
	len = len < size - 1 ? len : size - 1;
	while (heap.r == 0 && heap.end - heap.at >= 8u + h->sl) {
		index = ckpt_hdf5_uint(&heap, 2);
		ckpt_hdf5_skip(&heap, 6);
		n = ckpt_hdf5_len(&heap);
		if (heap.r || index == 0 || n > heap.end - heap.at)
			return;
		if (index == wanted && len <= n) {
			if (ckpt_hdf5_read(h, heap.at, ret, len) == 0)
				ret[len] = '\0';
			ckpt_text_clean(ret);
			return;
		}
		n = (n + 7) / 8 * 8;
		heap.at = n < heap.end - heap.at ? heap.at + n : heap.end;
	}
}
