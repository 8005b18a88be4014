/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of groups: old ones (B-tree, symbol table nodes, names in a local heap) and dense
 * ones (links in a fractal heap, indexed by a version 2 B-tree).
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

#define NAME_MAX_LEN 1024 /* of a link in an old group; longer ones are cut in messages only */

/* A local heap's data segment. */
struct names {
	uint64_t addr, size;
};

static int local_heap(struct ckpt_hdf5 *h, uint64_t addr, struct names *ret)
{
	struct ckpt_hdf5_cur cur;
	int r = ckpt_hdf5_begin(h, &cur, addr, "HEAP");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 4);
	ret->size = ckpt_hdf5_len(&cur);
	ckpt_hdf5_len(&cur);
	ret->addr = ckpt_hdf5_addr(&cur);
	if (cur.r)
		return cur.r;
	h->unsummed++;
	r = ckpt_hdf5_charge(h, addr, cur.at - addr, "a heap");
	return r ? r : ckpt_hdf5_charge(h, ret->addr, ret->size, "a heap's names");
}

/* The length of the name at @offset in the heap; it must end there. */
static int name_length(struct ckpt_hdf5 *h, const struct names *names, uint64_t offset,
		       uint64_t *ret)
{
	char buf[NAME_MAX_LEN];
	uint64_t n;
	int r;

	if (offset >= names->size)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, names->addr,
					"a member's name is not in its group's heap");
	n = names->size - offset < sizeof(buf) ? names->size - offset : sizeof(buf);
	n = n > 64 ? 64 : n;
	r = ckpt_hdf5_read(h, names->addr + offset, buf, n);
	if (r == 0 && !memchr(buf, 0, n) && n < names->size - offset) {
		n = names->size - offset < sizeof(buf) ? names->size - offset : sizeof(buf);
		r = ckpt_hdf5_read(h, names->addr + offset, buf, n);
	}
	*ret = r ? 0 : strnlen(buf, n);
	return r;
}

/* A symbol table node below the tree. */
static int table_node(struct ckpt_hdf5_cur *key, uint64_t addr, void *arg)
{
	const struct names *names = arg;
	struct ckpt_hdf5 *h = key->h;
	struct ckpt_hdf5_cur cur;
	unsigned n, kind;
	uint64_t name, object, len;
	int r = ckpt_hdf5_begin(h, &cur, addr, "SNOD");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 2);
	n = (unsigned)ckpt_hdf5_uint(&cur, 2);
	r = cur.r;
	h->unsummed++;
	r = r ? r
	      : ckpt_hdf5_charge(h, addr, 8 + (uint64_t)n * (2u * h->so + 24),
				 "a table of members");
	for (unsigned i = 0; i < n && r == 0; i++) {
		name = ckpt_hdf5_uint(&cur, h->so);
		object = ckpt_hdf5_addr(&cur);
		kind = (unsigned)ckpt_hdf5_uint(&cur, 4);
		ckpt_hdf5_skip(&cur, 20);
		r = cur.r ? cur.r : name_length(h, names, name, &len);
		if (r == 0 && kind > CKPT_HDF5_ENTRY_KINDS)
			r = ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					     "an entry of a table of members is of no known kind");
		if (r == 0 && kind != 2) /* a soft link has no object */
			r = ckpt_hdf5_add(h, object, names->addr + name, len);
	}
	return r;
}

int ckpt_hdf5_old_group(struct ckpt_hdf5 *h, uint64_t tree, uint64_t heap)
{
	struct names names;
	const struct ckpt_hdf5_tree walk = {
		.type = 0, .key = h->sl, .leaf = table_node, .arg = &names
	};
	int r = local_heap(h, heap, &names);

	return r ? r : ckpt_hdf5_tree1(h, tree, &walk);
}

/* A record of an index. Links by name: a hash, and an id in the heap. Of others nothing is read. */
static int indexed(struct ckpt_hdf5_cur *record, unsigned type, void *arg)
{
	struct ckpt_hdf5_heap *heap = arg;
	struct ckpt_hdf5_cur link;
	int r;

	if (type != 5)
		return 0;
	ckpt_hdf5_skip(record, 4);
	r = record->r ? record->r : ckpt_hdf5_heap_find(heap, record, &link);
	if (r || !link.h)
		return r;
	return ckpt_hdf5_link(&link);
}

int ckpt_hdf5_dense(struct ckpt_hdf5 *h, const struct ckpt_hdf5_dense *dense)
{
	struct ckpt_hdf5_heap heap;
	int r;

	if (dense->heap == CKPT_HDF5_NONE)
		return 0;
	r = ckpt_hdf5_heap_open(h, dense->heap, &heap);
	if (r == 0 && dense->names != CKPT_HDF5_NONE)
		r = ckpt_hdf5_tree2(h, dense->names, indexed, &heap);
	if (r == 0 && dense->order != CKPT_HDF5_NONE)
		r = ckpt_hdf5_tree2(h, dense->order, indexed, &heap);
	return r;
}
