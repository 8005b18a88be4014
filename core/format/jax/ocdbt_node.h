/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the bodies of OCDBT's objects (ocdbt.h) say: columns of numbers, one after the other, which
 * are read side by side without a copy of them. Nothing here reads a file.
 */
#ifndef CKPT_CORE_FORMAT_JAX_OCDBT_NODE_H
#define CKPT_CORE_FORMAT_JAX_OCDBT_NODE_H

#include "core/base/varint.h"

#define CKPT_OCDBT_KEY_MAX 65535  /* bytes: kMaxKeyLength */
#define CKPT_OCDBT_PATH_MAX 65535 /* bytes: kMaxPathLength */

/* One data file of the table in front of a body. The first @base bytes are for the nodes below it
 * too. */
struct ckpt_ocdbt_path {
	const char *text; /* ends in a NUL */
	size_t base;
};

struct ckpt_ocdbt_table {
	uint64_t n;
	struct ckpt_ocdbt_path *paths; /* owned, and the texts with them */
	size_t size;		       /* of that, in bytes */
};

/* A place that a body refers to; @file is an index of its table. */
struct ckpt_ocdbt_ref {
	uint64_t file, off, len;
	unsigned height; /* of the node there */
};

/* The entries of a B+tree node, from the one that comes next on. */
struct ckpt_ocdbt_entries {
	uint64_t left;
	unsigned height; /* 0: a leaf, whose entries are values */
	struct ckpt_bytes prefix, suffix, common, text, length, kind, file, off, value;
	bool first;
};

/* One of them. */
struct ckpt_ocdbt_entry {
	size_t n_key;		   /* of the key, relative to the node's prefix */
	size_t common;		   /* a node: what all keys below begin with, of this key */
	struct ckpt_ocdbt_ref ref; /* the node or value, unless @here */
	bool here;		   /* a value in the node itself */
	struct ckpt_bytes bytes;   /* which */
};

/*
 * Each parser returns 0; 1: the bytes contradict themselves; -E2BIG: beyond @max bytes; -ENOMEM.
 */

/* Takes the table of data files off @in. */
int ckpt_ocdbt_table_take(struct ckpt_bytes *in, size_t max, struct ckpt_ocdbt_table *ret);

/* Frees it; a zeroed one is fine. */
void ckpt_ocdbt_table_done(struct ckpt_ocdbt_table *table);

/* What a manifest says of the newest version. */
struct ckpt_ocdbt_newest {
	bool apart;  /* it is not in this file: manifests are numbered */
	bool hollow; /* a version without any key */
	struct ckpt_ocdbt_table table;
	struct ckpt_ocdbt_ref root;
};

/* Reads the body of a manifest. */
int ckpt_ocdbt_manifest_read(struct ckpt_bytes in, size_t max, struct ckpt_ocdbt_newest *ret);

/* Reads the body of a B+tree node up to its entries, whose columns are then known to be whole. */
int ckpt_ocdbt_node_read(struct ckpt_bytes in, size_t max, struct ckpt_ocdbt_table *table,
			 struct ckpt_ocdbt_entries *ret);

/*
 * The next entry; its key is completed in @key, which holds the one before and has room for
 * CKPT_OCDBT_KEY_MAX bytes. 0, or 1.
 */
int ckpt_ocdbt_entry_next(struct ckpt_ocdbt_entries *entries, char *key,
			  struct ckpt_ocdbt_entry *ret);

#endif
