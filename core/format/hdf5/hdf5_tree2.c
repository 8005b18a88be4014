/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 2 B-trees. How many records a node can hold follows from the sizes in the header, and
 * with it the width of the counters beside each child's address.
 */
#include "core/format/hdf5/hdf5_walk.h"

#define DEPTH_MAX 16
#define NODE_PREFIX 10 /* signature, version, type, checksum */

struct level {
	uint64_t max, sum; /* records in a node of this level; in it and all below */
};

struct tree {
	struct ckpt_hdf5 *h;
	unsigned type, node_size, record_size, depth;
	unsigned count_len; /* bytes of a child's number of records */
	struct level levels[DEPTH_MAX];
	ckpt_hdf5_record_fn *record;
	void *arg;
};

/* A child under way. */
struct node {
	uint64_t addr, records;
};

static unsigned width(uint64_t limit)
{
	unsigned n = 1;

	while (n < 8 && limit >> (8 * n))
		n++;
	return n;
}

/* Bytes of a child pointer in a node of level @u. */
static unsigned pointer_size(const struct tree *t, unsigned u)
{
	return t->h->so + t->count_len + (u > 1 ? width(t->levels[u - 1].sum) : 0);
}

/* The capacities of all levels; false if no tree can be so. */
static bool set_levels(struct tree *t)
{
	if (t->record_size == 0 || t->node_size < NODE_PREFIX + t->record_size)
		return false;
	t->levels[0].max = t->levels[0].sum = (t->node_size - NODE_PREFIX) / t->record_size;
	t->count_len = width(t->levels[0].max);
	for (unsigned u = 1; u <= t->depth; u++) {
		struct level *l = &t->levels[u];
		unsigned pointer = pointer_size(t, u);

		if (t->node_size < NODE_PREFIX + pointer + t->record_size + pointer)
			return false;
		l->max = (t->node_size - (NODE_PREFIX + pointer)) / (t->record_size + pointer);
		if (__builtin_mul_overflow(l->max + 1, t->levels[u - 1].sum, &l->sum) ||
		    __builtin_add_overflow(l->sum, l->max, &l->sum))
			return false;
	}
	return true;
}

static int visit_records(struct tree *t, struct ckpt_hdf5_cur *cur, uint64_t n)
{
	int r = cur->r;

	for (uint64_t i = 0; i < n && r == 0; i++) {
		struct ckpt_hdf5_cur record = *cur;

		ckpt_hdf5_skip(cur, t->record_size);
		record.end = cur->at;
		r = cur->r ? cur->r : t->record(&record, t->type, t->arg);
	}
	return r;
}

static int visit(struct tree *t, const struct node *node, unsigned level);

/* The children of an inner node, whose pointers @cur stands at. */
static int visit_children(struct tree *t, struct ckpt_hdf5_cur *cur, uint64_t n, unsigned level)
{
	unsigned rest = pointer_size(t, level) - t->h->so - t->count_len;
	int r = 0;

	for (uint64_t i = 0; i <= n && r == 0; i++) {
		struct node child = { .addr = ckpt_hdf5_addr(cur) };

		child.records = ckpt_hdf5_uint(cur, t->count_len);
		ckpt_hdf5_skip(cur, rest);
		r = cur->r ? cur->r : visit(t, &child, level - 1);
	}
	return r;
}

/* A node of @level; leaves are 0. */
static int visit(struct tree *t, const struct node *node, unsigned level)
{
	struct ckpt_hdf5_cur cur;
	uint64_t len = NODE_PREFIX;
	int r = ckpt_hdf5_begin(t->h, &cur, node->addr, level ? "BTIN" : "BTLF");

	if (r)
		return r;
	if (node->records > t->levels[level].max)
		return ckpt_hdf5_reject(t->h, CKPT_PROBLEM_HEADER, node->addr,
					"a tree's node holds more records than it can");
	len += node->records * t->record_size;
	if (level)
		len += (node->records + 1) * pointer_size(t, level);
	r = ckpt_hdf5_sum(t->h, node->addr, len, "a tree's node");
	ckpt_hdf5_skip(&cur, 2);
	r = r ? r : visit_records(t, &cur, node->records);
	if (r == 0 && level)
		r = visit_children(t, &cur, node->records, level);
	return r;
}

int ckpt_hdf5_tree2(struct ckpt_hdf5 *h, uint64_t addr, ckpt_hdf5_record_fn *record, void *arg)
{
	struct tree t = { .h = h, .record = record, .arg = arg };
	struct ckpt_hdf5_cur cur;
	struct node root;
	int r = ckpt_hdf5_begin(h, &cur, addr, "BTHD");

	if (r)
		return r;
	ckpt_hdf5_skip(&cur, 1);
	t.type = (unsigned)ckpt_hdf5_uint(&cur, 1);
	t.node_size = (unsigned)ckpt_hdf5_uint(&cur, 4);
	t.record_size = (unsigned)ckpt_hdf5_uint(&cur, 2);
	t.depth = (unsigned)ckpt_hdf5_uint(&cur, 2);
	ckpt_hdf5_skip(&cur, 2);
	root.addr = ckpt_hdf5_addr(&cur);
	root.records = ckpt_hdf5_uint(&cur, 2);
	ckpt_hdf5_skip(&cur, h->sl);
	r = cur.r ? cur.r : ckpt_hdf5_sum(h, addr, cur.at + 4 - addr, "a tree's header");
	if (r || root.addr == CKPT_HDF5_NONE)
		return r;
	if (t.depth >= DEPTH_MAX || !set_levels(&t))
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a tree of sizes that cannot be");
	return visit(&t, &root, t.depth);
}
