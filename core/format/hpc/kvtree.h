/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of LLNL's KVTree, which SCR keeps its books in (kvtree.c: kvtree_write_persist,
 * kvtree_pack): trees of texts, big-endian, with a CRC-32 at the end. A value is the only key of
 * the tree below its name.
 */
#ifndef CKPT_CORE_FORMAT_HPC_KVTREE_H
#define CKPT_CORE_FORMAT_HPC_KVTREE_H

#include "core/base/varint.h"
#include "core/format/format.h"

/* Such a file by itself: its length, then CRC and branches. */
extern const struct ckpt_format ckpt_format_kvtree;

/* A file in memory. Trees point into it. */
struct ckpt_kvtree {
	char *data;
	struct ckpt_bytes root;
};

/* Steps over the branches of a tree; zeroed but for what ckpt_kvtree_first() sets. */
struct ckpt_kvtree_walk {
	struct ckpt_bytes rest;
	uint64_t left;
};

/*
 * Reads @path below @dirfd and proves it: length, CRC, every branch. 0; a rejection of @check that
 * blames @path; -ENOENT; or another errno.
 */
int ckpt_kvtree_load(struct ckpt_check *check, int dirfd, const char *path,
		     struct ckpt_kvtree *ret);

/* Frees it; a zeroed one is fine. */
void ckpt_kvtree_done(struct ckpt_kvtree *tree);
#define _cleanup_kvtree_ _cleanup_(ckpt_kvtree_done)

/* Begins to step over the branches of @tree, of a loaded file. */
void ckpt_kvtree_first(struct ckpt_bytes tree, struct ckpt_kvtree_walk *ret);

/* The next branch: its key and the tree below. False at the end. */
bool ckpt_kvtree_next(struct ckpt_kvtree_walk *walk, const char **ret_key,
		      struct ckpt_bytes *ret_below);

/* The tree below @key; false where there is none. */
bool ckpt_kvtree_get(struct ckpt_bytes tree, const char *key, struct ckpt_bytes *ret);

/* The value of @key, or NULL. */
const char *ckpt_kvtree_text(struct ckpt_bytes tree, const char *key);

/* The value of @key as a decimal number that is not negative; false where it is none. */
bool ckpt_kvtree_int(struct ckpt_bytes tree, const char *key, int64_t *ret);

#endif
