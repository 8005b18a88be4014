/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes tables and TensorFlow bundles for tests, byte by byte as the format's description says:
 * independent of the reader under test but for the CRC.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_TF_BUILD_H
#define CKPT_TESTS_UNIT_SUPPORT_TF_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "tests/unit/support/judge.h"

/* Bytes that grow. */
struct tf_bytes {
	unsigned char data[65536];
	size_t n;
};

void tf_put(struct tf_bytes *b, const void *data, size_t len);
void tf_put_varint(struct tf_bytes *b, uint64_t v);
void tf_put_u32(struct tf_bytes *b, uint32_t v);

/* A table under way: keys must come in order. */
struct tf_table_build {
	struct tf_bytes file, block, index;
	int in_block;	/* entries of the current block */
	int per_block;	/* entries after which a block ends */
	int snappy;	/* blocks are compressed (as literals) */
	char last[256]; /* key before, for the shared part */
};

/* Adds an entry of @len bytes of @value. */
void tf_table_add(struct tf_table_build *t, const char *key, const void *value, size_t len);

/* Ends the table: t->file is the whole file. */
void tf_table_end(struct tf_table_build *t);

/* One tensor of a bundle. */
struct tf_tensor {
	const char *name;
	int dtype, rank;
	uint64_t dim; /* of a vector (rank 1) */
	int shard;
	const void *data; /* as in the file */
	size_t len;
	uint32_t crc; /* 0 = of @data */
};

/* Writes the bundle @prefix of @n tensors (sorted by name) in @shards data files. */
void tf_bundle_write(struct bench *bench, const char *prefix, const struct tf_tensor *tensors,
		     int n, int shards, int snappy);

#endif
