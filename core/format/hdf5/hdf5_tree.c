/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 1 B-trees, walked from the left with a stack of one frame a level. They have no
 * checksums: what stands in two places is compared, keys and neighbours too (III.A.1).
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

/* All that the byte can say: where nodes hold two children at most, the tree of chunks that were
 * appended has a level more with each of them. */
#define LEVELS 256

struct frame {
	struct ckpt_hdf5_cur cur;
	unsigned level, left; /* children not yet visited */
};

/* The last node seen of a level, and the one that it says comes next. */
struct level {
	uint64_t last, next;
};

struct walk {
	struct ckpt_hdf5 *h;
	const struct ckpt_hdf5_tree *tree;
	struct level levels[LEVELS];
	struct frame stack[LEVELS];
};

static int bad(struct walk *w, uint64_t addr, const char *what)
{
	return ckpt_hdf5_reject(w->h, CKPT_PROBLEM_HEADER, addr, "%s", what);
}

/* The nodes of a level are in a list of both directions. */
static int in_list(struct walk *w, struct ckpt_hdf5_cur *cur, uint64_t addr, unsigned level)
{
	struct level *l = &w->levels[level];
	uint64_t before = ckpt_hdf5_addr(cur), behind = ckpt_hdf5_addr(cur);

	if (cur->r)
		return cur->r;
	if (before != l->last || (l->last != CKPT_HDF5_NONE && l->next != addr))
		return bad(w, addr, "a tree's node is not beside its neighbours");
	*l = (struct level) { addr, behind };
	return 0;
}

static int enter(struct walk *w, uint64_t addr, struct frame *ret)
{
	const struct ckpt_hdf5_tree *tree = w->tree;
	struct ckpt_hdf5 *h = w->h;
	unsigned type, n;
	int r = ckpt_hdf5_begin(h, &ret->cur, addr, "TREE");

	if (r)
		return r;
	type = (unsigned)ckpt_hdf5_uint(&ret->cur, 1);
	ret->level = (unsigned)ckpt_hdf5_uint(&ret->cur, 1);
	ret->left = n = (unsigned)ckpt_hdf5_uint(&ret->cur, 2);
	if (ret->cur.r == 0 && type != tree->type)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a tree's node is of type %u instead of %u", type,
					tree->type);
	r = in_list(w, &ret->cur, addr, ret->level);
	if (r == 0 && n > 2 * h->tree_k[tree->type])
		r = bad(w, addr, "a tree's node has more children than there is room for");
	if (r == 0 && n == 0 && (ret != w->stack || ret->level > 0))
		r = bad(w, addr, "a tree's node has no children");
	h->unsummed++;
	return r ? r
		 : ckpt_hdf5_charge(h, addr,
				    8 + 2u * h->so + (uint64_t)n * (tree->key + h->so) + tree->key,
				    "a tree's node");
}

/* A key stands in a node, and around it in the one above. */
static int same_key(struct walk *w, uint64_t above, uint64_t below)
{
	uint8_t a[CKPT_HDF5_KEY], b[CKPT_HDF5_KEY];
	size_t from = w->tree->same, n = w->tree->key - from;
	int r = ckpt_hdf5_read(w->h, above + from, a, n);

	r = r ? r : ckpt_hdf5_read(w->h, below + from, b, n);
	if (r == 0 && memcmp(a, b, n) != 0)
		r = bad(w, below, "a tree's node is not between its keys");
	return r;
}

/* The child below the key at @key has one level less, and the keys around it. */
static int check_child(struct walk *w, const struct frame *f, uint64_t key, uint64_t addr)
{
	const struct frame *next = f + 1;
	uint64_t step = w->tree->key + w->h->so;
	int r;

	if (next->level != f->level - 1)
		return ckpt_hdf5_reject(w->h, CKPT_PROBLEM_HEADER, addr,
					"a tree's node is of level %u instead of %u", next->level,
					f->level - 1);
	r = same_key(w, key, next->cur.at);
	return r ? r : same_key(w, key + step, next->cur.at + next->left * step);
}

/* The next child of @f: a node of the level below is put behind it. */
static int child(struct walk *w, struct frame *f)
{
	const struct ckpt_hdf5_tree *tree = w->tree;
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
	r = enter(w, addr, f + 1);
	return r ? r : check_child(w, f, key.at, addr);
}

/* Each level's list ends with the last node that was seen. */
static int lists_end(struct walk *w, uint64_t addr)
{
	for (int i = 0; i < LEVELS; i++)
		if (w->levels[i].last != CKPT_HDF5_NONE && w->levels[i].next != CKPT_HDF5_NONE)
			return bad(w, addr, "a tree's last node has a neighbour");
	return 0;
}

int ckpt_hdf5_tree1(struct ckpt_hdf5 *h, uint64_t addr, const struct ckpt_hdf5_tree *tree)
{
	struct walk w = { .h = h, .tree = tree };
	int depth = 0, r;

	for (int i = 0; i < LEVELS; i++)
		w.levels[i] = (struct level) { CKPT_HDF5_NONE, CKPT_HDF5_NONE };
	r = enter(&w, addr, &w.stack[0]);
	while (r == 0 && depth >= 0) {
		struct frame *f = &w.stack[depth];

		if (f->left == 0) {
			depth--;
			continue;
		}
		r = child(&w, f);
		depth += f->level > 0;
	}
	return r ? r : lists_end(&w, addr);
}
