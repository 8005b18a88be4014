/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of groups: old ones (B-tree, symbol table nodes, names in a local heap) and dense
 * ones (links in a fractal heap, indexed by a version 2 B-tree).
 */
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"

/* A group being read. Names ascend from table to table. */
struct table {
	struct ckpt_hdf5_names names;
	struct ckpt_hdf5_name last, name, text;
};

void ckpt_hdf5_entry(struct ckpt_hdf5_cur *cur, struct ckpt_hdf5_entry *ret)
{
	uint64_t scratch;

	*ret = (struct ckpt_hdf5_entry) { .name = ckpt_hdf5_len(cur) };
	ret->object = ckpt_hdf5_addr(cur);
	ret->kind = (unsigned)ckpt_hdf5_uint(cur, 4);
	ckpt_hdf5_skip(cur, 4);
	scratch = cur->at;
	ckpt_hdf5_skip(cur, 16);
	if (cur->r || ret->kind == CKPT_HDF5_PLAIN)
		return;
	cur->at = scratch;
	if (ret->kind == CKPT_HDF5_SOFT) {
		ret->text = ckpt_hdf5_uint(cur, 4);
	} else {
		ret->tree = ckpt_hdf5_addr(cur);
		ret->heap = ckpt_hdf5_addr(cur);
	}
	cur->at = scratch + 16;
}

uint64_t ckpt_hdf5_cached(uint64_t tree, uint64_t heap)
{
	return (tree ^ (heap << 32 | heap >> 32)) | 1;
}

static int bad(struct ckpt_hdf5 *h, uint64_t addr, const char *what)
{
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr, "%s", what);
}

/* Names that are cut may be equal in what is left of them. */
static bool ascend(const struct ckpt_hdf5_name *a, const struct ckpt_hdf5_name *b)
{
	int order = strcmp(a->text, b->text);

	return order < 0 || (order == 0 && a->len == sizeof(a->text) - 1);
}

/* What the entry says of the object it names, in table->name. */
static int check_entry(struct ckpt_hdf5 *h, struct table *table,
		       const struct ckpt_hdf5_entry *entry)
{
	struct ckpt_hdf5_known known = { .addr = entry->object,
					 .name_at = table->name.at,
					 .name_len = (uint32_t)table->name.len };
	int r = 0;

	if (table->name.len == 0 || strchr(table->name.text, '/'))
		return bad(h, table->name.at, "a member's name is none that HDF5 can have");
	if (!ascend(&table->last, &table->name))
		return bad(h, table->name.at, "the names of a group's members are out of order");
	if (entry->kind > CKPT_HDF5_SOFT)
		return bad(h, table->name.at, "a member of a group is of no known kind");
	if (entry->kind == CKPT_HDF5_GROUP)
		known.cached = ckpt_hdf5_cached(entry->tree, entry->heap);
	if (entry->kind != CKPT_HDF5_SOFT)
		return ckpt_hdf5_add(h, &known);
	r = ckpt_hdf5_name(h, &table->names, entry->text, &table->text);
	if (r == 0 && table->text.len == 0) /* as H5Lcreate_soft() makes none */
		r = bad(h, table->name.at, "a soft link leads nowhere");
	return r;
}

/* The library zeroes what it does not use of a node (H5G__cache_node_serialize()). */
static int check_unused(struct ckpt_hdf5_cur *cur, uint64_t n)
{
	uint64_t at = cur->at;

	for (uint64_t done = 0; done < n && !cur->r; done += 8)
		if (ckpt_hdf5_uint(cur, n - done < 8 ? (unsigned)(n - done) : 8))
			return bad(cur->h, at, "there are members behind the last of a table");
	return cur->r;
}

/* The key at @cur: no name before it exceeds it (H5G_node_cmp3()). */
static int check_key(struct ckpt_hdf5_cur *cur, struct table *table)
{
	uint64_t offset = ckpt_hdf5_len(cur);
	int r = cur->r ? cur->r : ckpt_hdf5_name(cur->h, &table->names, offset, &table->text);

	if (r == 0 && strcmp(table->text.text, table->last.text) < 0)
		return bad(cur->h, table->text.at,
			   "a tree's key is not behind the names before it");
	return r;
}

/* All entries of a node: between the names of the keys around it. */
static int entries(struct ckpt_hdf5_cur *cur, unsigned n, struct table *table)
{
	struct ckpt_hdf5_entry entry;
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		ckpt_hdf5_entry(cur, &entry);
		r = cur->r ? cur->r
			   : ckpt_hdf5_name(cur->h, &table->names, entry.name, &table->name);
		r = r ? r : check_entry(cur->h, table, &entry);
		table->last = table->name;
	}
	return r;
}

/* The head of the node at @addr: how many members it has. */
static int table_head(struct ckpt_hdf5_cur *cur, uint64_t addr, unsigned *ret)
{
	struct ckpt_hdf5 *h = cur->h;
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1), n;

	ckpt_hdf5_skip(cur, 1);
	*ret = n = (unsigned)ckpt_hdf5_uint(cur, 2);
	if (cur->r == 0 && (version != 1 || n == 0 || n > 2 * h->leaf_k))
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr,
					"a table of version %u with %u members", version, n);
	h->unsummed++;
	return cur->r;
}

/* A symbol table node below the tree. */
static int table_node(struct ckpt_hdf5_cur *key, uint64_t addr, void *arg)
{
	struct table *table = arg;
	struct ckpt_hdf5 *h = key->h;
	struct ckpt_hdf5_cur cur, right = { .h = h, .at = key->end + h->so, .end = h->end };
	uint64_t each = h->so + h->sl + 24u, size = 8 + 2 * h->leaf_k * each;
	unsigned n = 0;
	int r = ckpt_hdf5_begin(h, &cur, addr, "SNOD");

	r = r ? r : table_head(&cur, addr, &n);
	r = r ? r : ckpt_hdf5_charge(h, addr, size, "a table of members");
	r = r ? r : check_key(key, table);
	if (r)
		return r;
	table->last = table->text;
	r = entries(&cur, n, table);
	r = r ? r : check_unused(&cur, addr + size - cur.at);
	return r ? r : check_key(&right, table);
}

int ckpt_hdf5_old_group(struct ckpt_hdf5 *h, uint64_t tree, uint64_t heap)
{
	struct table table = { .last.len = 0 };
	const struct ckpt_hdf5_tree walk = {
		.type = 0, .key = h->sl, .leaf = table_node, .arg = &table
	};
	int r = ckpt_hdf5_names_open(h, heap, &table.names);

	if (r == 0 && h->current == 0 && h->root_name >= table.names.size)
		r = bad(h, heap, "the root's name is not in its group's heap");
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
