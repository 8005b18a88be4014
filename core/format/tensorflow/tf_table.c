/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_table.h. A block: entries (varints shared, non_shared, value_len; key tail; value),
 * restart offsets u32 x n, u32 n. Behind it in the file: one byte of compression and the masked CRC
 * over both.
 */
#include "core/format/tensorflow/tf_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc.h"
#include "core/format/tensorflow/snappy.h"

#define TRAILER CKPT_TF_TRAILER
#define MASK_DELTA 0xa282ead8u

struct handle {
	uint64_t off, size;
};

uint32_t ckpt_tf_mask(uint32_t crc)
{
	return (crc >> 15 | crc << 17) + MASK_DELTA;
}

uint32_t ckpt_tf_unmask(uint32_t masked)
{
	uint32_t rot = masked - MASK_DELTA;

	return rot >> 17 | rot << 15;
}

static int wrong(struct ckpt_tf_table *table, uint64_t at, const char *what)
{
	table->wrong = what;
	table->at = at;
	return CKPT_TF_WRONG;
}

static int too_large(struct ckpt_tf_table *table, uint64_t at, const char *what)
{
	table->wrong = what;
	table->at = at;
	return CKPT_TF_LARGE;
}

static bool take_handle(struct ckpt_bytes *in, struct handle *ret)
{
	return ckpt_varint_take(in, &ret->off) && ckpt_varint_take(in, &ret->size);
}

/* Replaces the snappy text @raw of @len bytes by what it decodes to. */
static int decompress(struct ckpt_tf_table *table, uint64_t at, uint8_t **raw, size_t *len)
{
	uint8_t *decoded;
	uint32_t n;

	if (ckpt_snappy_length(*raw, *len, &n))
		return wrong(table, at, "a compressed block has no length");
	if (n > CKPT_TF_BLOCK)
		return too_large(table, at, "a block is larger than 32 MiB when decoded");
	decoded = malloc((size_t)n + 1);
	if (!decoded)
		return -ENOMEM;
	if (ckpt_snappy_decode(*raw, *len, decoded, n)) {
		free(decoded);
		return wrong(table, at, "a compressed block is no snappy text");
	}
	free(*raw);
	*raw = decoded;
	*len = n;
	return 0;
}

/* Sets @block to the entries of the @len bytes @data, which it owns from now on. */
static int begin_block(struct ckpt_tf_table *table, struct ckpt_tf_block *block, uint64_t at,
		       size_t len)
{
	uint64_t restarts;

	block->key_len = 0;
	block->off = at;
	if (len < sizeof(uint32_t))
		return wrong(table, at, "a block is too short");
	restarts = (ckpt_bytes_le(block->data + len - 4, 4) + 1) * 4;
	if (restarts > len)
		return wrong(table, at, "a block's restart points do not fit");
	block->rest = (struct ckpt_bytes) { block->data, len - (size_t)restarts };
	return 0;
}

/* Reads a block and its trailer to the heap and compares the CRC. */
static int read_raw(struct ckpt_tf_table *table, struct handle h, uint8_t **ret,
		    struct ckpt_error *err)
{
	uint8_t *raw;
	int r;

	if (h.size > CKPT_TF_BLOCK)
		return too_large(table, h.off, "a block is larger than 32 MiB");
	raw = malloc((size_t)h.size + TRAILER);
	if (!raw)
		return -ENOMEM;
	r = ckpt_file_read(table->file, h.off, raw, (size_t)h.size + TRAILER, err);
	if (r > 0)
		r = wrong(table, h.off, "a block lies outside the file");
	if (!r && ckpt_crc(CKPT_CRC32C, 0, raw, (size_t)h.size + 1) !=
			  ckpt_tf_unmask((uint32_t)ckpt_bytes_le(raw + h.size + 1, 4))) {
		table->at = h.off;
		r = CKPT_TF_CHECKSUM;
	}
	if (r)
		free(raw);
	else
		*ret = raw;
	return r;
}

static int load_block(struct ckpt_tf_table *table, struct ckpt_tf_block *block, struct handle h,
		      struct ckpt_error *err)
{
	uint64_t end, limit = table->file->size - CKPT_TF_FOOTER;
	size_t len = (size_t)h.size;
	int r;

	free(block->data);
	block->data = NULL;
	if (__builtin_add_overflow(h.off, h.size, &end) ||
	    __builtin_add_overflow(end, TRAILER, &end) || end > limit)
		return wrong(table, h.off, "a block lies outside the file");
	r = read_raw(table, h, &block->data, err);
	if (r)
		return r;
	switch (block->data[h.size]) {
	case 0:
		break;
	case 1:
		r = decompress(table, h.off, &block->data, &len);
		break;
	default:
		return wrong(table, h.off, "a block has an unknown compression");
	}
	return r ? r : begin_block(table, block, h.off, len);
}

/* Steps to the block's next entry; CKPT_TF_END behind the last. */
static int next_entry(struct ckpt_tf_table *table, struct ckpt_tf_block *block)
{
	uint64_t shared, tail, value;
	struct ckpt_bytes key;

	if (!block->rest.n)
		return CKPT_TF_END;
	if (!ckpt_varint_take(&block->rest, &shared) || !ckpt_varint_take(&block->rest, &tail) ||
	    !ckpt_varint_take(&block->rest, &value) || !ckpt_bytes_take(&block->rest, tail, &key) ||
	    shared > block->key_len)
		return wrong(table, block->off, "an entry does not fit its block");
	if (tail > CKPT_TF_KEY - shared)
		return too_large(table, block->off, "a key is longer than 8 KiB");
	if (!ckpt_bytes_take(&block->rest, value, &block->value))
		return wrong(table, block->off, "an entry does not fit its block");
	memcpy(block->key + shared, key.p, key.n);
	block->key_len = (size_t)shared + key.n;
	block->key[block->key_len] = 0;
	return 0;
}

/* Reads the footer: two handles, zeros, the magic number at the very end. */
static int read_footer(struct ckpt_tf_table *table, struct handle *ret_meta,
		       struct handle *ret_index, struct ckpt_error *err)
{
	uint8_t footer[CKPT_TF_FOOTER];
	struct ckpt_bytes in = { footer, CKPT_TF_FOOTER - 8 };
	uint64_t at, end;
	int r;

	if (table->file->size < CKPT_TF_FOOTER)
		return CKPT_TF_NO_FOOTER;
	at = table->file->size - CKPT_TF_FOOTER;
	r = ckpt_file_read(table->file, at, footer, sizeof(footer), err);
	if (r)
		return r < 0 ? r : CKPT_TF_NO_FOOTER;
	if (ckpt_bytes_le(footer + CKPT_TF_FOOTER - 8, 8) != CKPT_TF_MAGIC)
		return CKPT_TF_NO_FOOTER;
	if (!take_handle(&in, ret_meta) || !take_handle(&in, ret_index))
		return wrong(table, at, "the footer's handles are damaged");
	while (in.n > 0 && !*in.p) {
		in.p++;
		in.n--;
	}
	if (in.n > 0 || __builtin_add_overflow(ret_index->off, ret_index->size, &end) ||
	    __builtin_add_overflow(end, TRAILER, &end) || end != at)
		return wrong(table, at, "the index does not end where the footer begins");
	return 0;
}

int ckpt_tf_table_open(struct ckpt_tf_table *table, const struct ckpt_file *file,
		       struct ckpt_error *err)
{
	struct handle meta, index;
	int r;

	table->file = file;
	r = read_footer(table, &meta, &index, err);
	if (!r)
		r = load_block(table, &table->block, meta, err);
	if (!r)
		r = load_block(table, &table->index, index, err);
	table->block.rest.n = 0; /* the metaindex has nothing to say beyond its CRC */
	return r;
}

/* The handle in the next entry of the index. */
static int next_handle(struct ckpt_tf_table *table, struct handle *ret)
{
	int r = next_entry(table, &table->index);

	if (r)
		return r;
	if (!take_handle(&table->index.value, ret))
		return wrong(table, table->index.off, "the index holds no handle");
	return 0;
}

/* Loads the block that the next entry of the index names. */
static int next_block(struct ckpt_tf_table *table, struct ckpt_error *err)
{
	struct handle h;
	int r = next_handle(table, &h);

	return r ? r : load_block(table, &table->block, h, err);
}

int ckpt_tf_table_next_place(struct ckpt_tf_table *table, uint64_t *ret_off, uint64_t *ret_size)
{
	struct handle h;
	uint64_t end;
	int r = next_handle(table, &h);

	if (r)
		return r;
	if (__builtin_add_overflow(h.off, h.size, &end) ||
	    __builtin_add_overflow(end, TRAILER, &end) || end > table->block.off)
		return wrong(table, h.off, "a block lies outside the file");
	*ret_off = h.off;
	*ret_size = h.size;
	return 0;
}

static bool ascends(const struct ckpt_tf_table *table)
{
	const struct ckpt_tf_block *b = &table->block;
	size_t n = b->key_len < table->last_len ? b->key_len : table->last_len;
	int order = memcmp(table->last_key, b->key, n);

	return order < 0 || (!order && table->last_len < b->key_len);
}

int ckpt_tf_table_next(struct ckpt_tf_table *table, struct ckpt_error *err)
{
	struct ckpt_tf_block *b = &table->block;
	int r;

	while (r = next_entry(table, b), r == CKPT_TF_END) {
		r = next_block(table, err);
		if (r)
			return r;
	}
	if (r)
		return r;
	if (table->begun && !ascends(table))
		return wrong(table, b->off, "the keys are not in order");
	table->begun = true;
	memcpy(table->last_key, b->key, b->key_len);
	table->last_len = b->key_len;
	return 0;
}

void ckpt_tf_table_done(struct ckpt_tf_table *table)
{
	free(table->index.data);
	free(table->block.data);
	table->index.data = table->block.data = NULL;
}
