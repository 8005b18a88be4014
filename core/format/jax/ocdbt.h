/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OCDBT, TensorStore's key-value store, which Orbax saves arrays in: a manifest names the root of a
 * B+tree for each version, whose nodes lie in data files between the values. Objects are a magic, a
 * length, a body that may be compressed by zstd, and the CRC-32C of all that.
 * https://google.github.io/tensorstore/kvstore/ocdbt/index.html, tensorstore/kvstore/ocdbt/format
 */
#ifndef CKPT_CORE_FORMAT_JAX_OCDBT_H
#define CKPT_CORE_FORMAT_JAX_OCDBT_H

#include "core/format/format.h"

#define CKPT_OCDBT_MANIFEST "manifest.ocdbt"

/* The manifest, check->file: exactly one object. As a check function. */
int ckpt_ocdbt_manifest(struct ckpt_check *check);

/*
 * A data file, check->file: a log of values, of nodes, or of both. An object at its beginning is
 * checked; what lies behind it, and plain values, only their tree can tell. As a check function.
 */
int ckpt_ocdbt_data(struct ckpt_check *check);

struct ckpt_ocdbt_walk;

/* A key and its value, in the order of the keys. Borrowed for the call. */
struct ckpt_ocdbt_value {
	struct ckpt_ocdbt_walk *walk;
	const char *key; /* any bytes, and a NUL */
	size_t n_key;
	const uint8_t *bytes;	      /* a value in the node itself: its CRC covers it; else NULL */
	const struct ckpt_file *file; /* else [off, off + len) of this file, where it lies */
	uint64_t off, len;
};

/* 0 goes on; else as a check function. */
typedef int ckpt_ocdbt_value_fn(void *arg, const struct ckpt_ocdbt_value *value);

struct ckpt_ocdbt_job {
	struct ckpt_check *check; /* of the directory */
	const char *prefix;	  /* of the store below it: "" or a path that ends in a slash */
	uint64_t bytes; /* of its data files: what a tree may come to is bounded by them */
	ckpt_ocdbt_value_fn *value;
	void *arg;
};

/*
 * Walks the tree of the newest version, which is all that a restore reads: CORRUPT where a node
 * does not match its CRC-32C or contradicts what refers to it, INCOMPLETE where a data file is
 * missing or ends before what a node or value needs, UNREADABLE for versions of the format to come.
 * Memory is bounded: for a tree of nodes too large, and for manifests kept in several files, the
 * evidence is capped to OPAQUE and a note says so.
 */
int ckpt_ocdbt_tree(const struct ckpt_ocdbt_job *job);

/*
 * Finds @key among those that follow @value in its node. True with *@ret, whose key is not set.
 */
bool ckpt_ocdbt_ahead(const struct ckpt_ocdbt_value *value, const char *key,
		      struct ckpt_ocdbt_value *ret);

#endif
