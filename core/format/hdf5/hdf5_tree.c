/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 1 B-trees, walked from the left with a stack of one frame a level. They have no
 * checksums: signature, type, level and addresses are all that can be compared.
 */
#include "core/format/hdf5/hdf5_walk.h"

#define LEVELS_MAX 32 /* each level has at least two children in a tree that libhdf5 made */

struct frame {
	struct ckpt_hdf5_cur cur;
	unsigned level, left; /* children not yet visited */
};

static int enter(struct ckpt_hdf5 *h, const struct ckpt_hdf5_tree *tree, uint64_t addr,
		 struct frame *ret)
{
	unsigned type, n;
	int r = ckpt_hdf5_begin(h, &ret->cur, addr, "TREE");

	if (r)
		return r;
	type = (unsigned)ckpt_hdf5_uint(&ret->cur, 1);
	ret->level = (unsigned)ckpt_hdf5_uint(&ret->cur, 1);
	ret->left = n = (unsigned)ckpt_hdf5_uint(&ret->cur, 2);
	ckpt_hdf5_skip(&ret->cur, 2u * h->so);
	if (ret->cur.r)
		return ret->cur.r;
	if (type != tree->type)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a tree's node is of type %u instead of %u", type,
					tree->type);
	h->unsummed++;
	return ckpt_hdf5_charge(h, addr,
				8 + 2u * h->so + (uint64_t)n * (tree->key + h->so) + tree->key,
				"a tree's node");
}

/* The next child of @f: a node of the level below is pushed on @next. */
static int child(struct ckpt_hdf5 *h, const struct ckpt_hdf5_tree *tree, struct frame *f,
		 struct frame *next)
{
	struct ckpt_hdf5_cur key = f->cur;
	uint64_t addr;
	int r;

	key.end = key.at + tree->key;
	ckpt_hdf5_skip(&f->cur, tree->key);
	addr = ckpt_hdf5_addr(&f->cur);
	f->left--;
	if (f->cur.r)
		return f->cur.r;
	if (f->level == 0)
		return tree->leaf(&key, addr, tree->arg);
	r = enter(h, tree, addr, next);
	if (r == 0 && next->level != f->level - 1)
		r = ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
				     "a tree's node is of level %u instead of %u", next->level,
				     f->level - 1);
	return r;
}

int ckpt_hdf5_tree1(struct ckpt_hdf5 *h, uint64_t addr, const struct ckpt_hdf5_tree *tree)
{
	struct frame stack[LEVELS_MAX + 1];
	int depth = 0;
	int r = enter(h, tree, addr, &stack[0]);

	if (r == 0 && stack[0].level >= LEVELS_MAX)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr, "a tree of %u levels",
					stack[0].level);
	while (r == 0 && depth >= 0) {
		struct frame *f = &stack[depth];

		if (f->left == 0) {
			depth--;
			continue;
		}
		r = child(h, tree, f, f + 1);
		depth += f->level > 0;
	}
	return r;
}
