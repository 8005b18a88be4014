/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * leveldb-style tables as TensorFlow writes them (tsl/lib/io/table.cc): sorted entries in blocks
 * with a masked CRC-32C each, an index block, a footer of 48 bytes. Entries are pulled one at a
 * time; one block is in memory.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_TABLE_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_TABLE_H

#include "core/base/file.h"
#include "core/base/varint.h"

#define CKPT_TF_FOOTER 48
#define CKPT_TF_TRAILER 5 /* behind a block: compression, masked CRC-32C over both */
#define CKPT_TF_MAGIC UINT64_C(0xdb4775248b80fb57)
#define CKPT_TF_KEY 8192 /* bytes of a key: tensor names have under 500 */
#define CKPT_TF_BLOCK                                                                              \
	(32 * 1024 * 1024) /* bytes of a block, decoded too: TensorFlow cuts them at 256 KiB */

enum ckpt_tf_result {
	CKPT_TF_END = 1,   /* no further entry; every block was read and its CRC held */
	CKPT_TF_NO_FOOTER, /* the writer did not come to the end */
	CKPT_TF_WRONG,	   /* table->wrong at table->at */
	CKPT_TF_CHECKSUM,  /* the block at table->at has another CRC */
	CKPT_TF_LARGE,	   /* beyond a cap: table->wrong */
};

/* A block under way. The value of the current entry points into @data. */
struct ckpt_tf_block {
	uint8_t *data;
	uint64_t off;		      /* in the file */
	struct ckpt_bytes rest;	      /* entries not yet read */
	uint8_t key[CKPT_TF_KEY + 1]; /* NUL-terminated for messages */
	size_t key_len;
	struct ckpt_bytes value;
};

struct ckpt_tf_table {
	const struct ckpt_file *file; /* borrowed */
	struct ckpt_tf_block index, block;
	bool begun; /* an entry was handed out: the next key must be larger */
	uint8_t last_key[CKPT_TF_KEY];
	size_t last_len;
	const char *wrong;
	uint64_t at;
};

/* CRC-32C as stored from the plain one, and back. */
uint32_t ckpt_tf_mask(uint32_t crc);
uint32_t ckpt_tf_unmask(uint32_t masked);

/* Reads footer, metaindex and index of @file. 0, ckpt_tf_result or an errno. */
int ckpt_tf_table_open(struct ckpt_tf_table *table, const struct ckpt_file *file,
		       struct ckpt_error *err);

/* Steps to the next entry: table->block.key, key_len and value. 0, ckpt_tf_result or an errno. */
int ckpt_tf_table_next(struct ckpt_tf_table *table, struct ckpt_error *err);

/*
 * Steps to the next block of entries without reading it, for callers that stream blocks: its place
 * and size, without the trailer of CKPT_TF_TRAILER bytes. Blocks lie inside the file, before the
 * metaindex, whose offset is table->block.off after the opening. 0, CKPT_TF_END, CKPT_TF_WRONG,
 * CKPT_TF_LARGE.
 */
int ckpt_tf_table_next_place(struct ckpt_tf_table *table, uint64_t *ret_off, uint64_t *ret_size);

/* Frees what the table holds; a zeroed one is fine. */
void ckpt_tf_table_done(struct ckpt_tf_table *table);

#endif
