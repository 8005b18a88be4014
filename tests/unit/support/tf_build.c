/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_build.h.
 */
#include "tests/unit/support/tf_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/crc.h"

void tf_put(struct tf_bytes *b, const void *data, size_t len)
{
	assert_true(len <= sizeof(b->data) - b->n);
	if (len)
		memcpy(b->data + b->n, data, len);
	b->n += len;
}

void tf_put_varint(struct tf_bytes *b, uint64_t v)
{
	do {
		unsigned char c = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));

		tf_put(b, &c, 1);
		v >>= 7;
	} while (v);
}

void tf_put_u32(struct tf_bytes *b, uint32_t v)
{
	unsigned char c[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
			       (unsigned char)(v >> 24) };

	tf_put(b, c, 4);
}

static uint32_t mask(uint32_t crc)
{
	return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

/* Writes @block to the file and its handle to @handle. */
static void put_block(struct tf_table_build *t, struct tf_bytes *block, struct tf_bytes *handle)
{
	struct tf_bytes *out = calloc(1, sizeof(*out));
	unsigned char type = (unsigned char)(t->snappy ? 1 : 0);

	assert_non_null(out);
	tf_put_u32(block, 0);
	tf_put_u32(block, 1);
	if (t->snappy) {
		unsigned char tag[3] = { 61 << 2, (unsigned char)((block->n - 1) & 0xff),
					 (unsigned char)((block->n - 1) >> 8) };

		tf_put_varint(out, block->n);
		tf_put(out, tag, 3);
	}
	tf_put(out, block->data, block->n);
	handle->n = 0;
	tf_put_varint(handle, t->file.n);
	tf_put_varint(handle, out->n);
	tf_put(out, &type, 1);
	tf_put_u32(out, mask(ckpt_crc(CKPT_CRC32C, 0, out->data, out->n)));
	tf_put(&t->file, out->data, out->n);
	free(out);
	block->n = 0;
}

static void put_entry(struct tf_bytes *block, const char *last, const char *key,
		      const struct tf_bytes *value)
{
	size_t shared = 0;

	while (last[shared] && last[shared] == key[shared])
		shared++;
	tf_put_varint(block, shared);
	tf_put_varint(block, strlen(key) - shared);
	tf_put_varint(block, value->n);
	tf_put(block, key + shared, strlen(key) - shared);
	tf_put(block, value->data, value->n);
}

static void end_block(struct tf_table_build *t)
{
	struct tf_bytes *handle = calloc(1, sizeof(*handle));

	assert_non_null(handle);
	put_block(t, &t->block, handle);
	put_entry(&t->index, "", t->last, handle);
	free(handle);
	t->in_block = 0;
}

void tf_table_add(struct tf_table_build *t, const char *key, const void *value, size_t len)
{
	struct tf_bytes *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	tf_put(v, value, len);
	put_entry(&t->block, t->in_block ? t->last : "", key, v);
	free(v);
	snprintf(t->last, sizeof(t->last), "%s", key);
	if (++t->in_block == t->per_block)
		end_block(t);
}

void tf_table_end(struct tf_table_build *t)
{
	static const unsigned char magic[8] = { 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb };
	static const unsigned char zeros[48];
	struct tf_bytes *meta = calloc(3, sizeof(*meta));

	assert_non_null(meta);
	if (t->in_block)
		end_block(t);
	put_block(t, &meta[0], &meta[1]);
	put_block(t, &t->index, &meta[2]);
	tf_put(&meta[1], meta[2].data, meta[2].n);
	tf_put(&meta[1], zeros, 40 - meta[1].n);
	tf_put(&meta[1], magic, 8);
	tf_put(&t->file, meta[1].data, meta[1].n);
	free(meta);
}

static void add_tensor(struct tf_table_build *t, const struct tf_tensor *tensor, uint64_t offset)
{
	struct tf_bytes *e = calloc(2, sizeof(*e)), *dim = &e[1];
	uint32_t crc =
		tensor->crc ? tensor->crc : ckpt_crc(CKPT_CRC32C, 0, tensor->data, tensor->len);

	assert_non_null(e);
	if (tensor->rank) {
		tf_put_varint(dim, 1 << 3);
		tf_put_varint(dim, tensor->dim);
	}
	tf_put_varint(e, 1 << 3);
	tf_put_varint(e, (uint64_t)tensor->dtype);
	tf_put_varint(e, 2 << 3 | 2);
	tf_put_varint(e, tensor->rank ? dim->n + 2 : 0);
	if (tensor->rank) {
		tf_put_varint(e, 2 << 3 | 2);
		tf_put_varint(e, dim->n);
		tf_put(e, dim->data, dim->n);
	}
	tf_put_varint(e, 3 << 3);
	tf_put_varint(e, (uint64_t)tensor->shard);
	tf_put_varint(e, 4 << 3);
	tf_put_varint(e, offset);
	tf_put_varint(e, 5 << 3);
	tf_put_varint(e, tensor->len);
	tf_put_varint(e, 6 << 3 | 5);
	tf_put_u32(e, mask(crc));
	tf_table_add(t, tensor->name, e->data, e->n);
	free(e);
}

void tf_bundle_write(struct bench *bench, const char *prefix, const struct tf_tensor *tensors,
		     int n, int shards, int snappy)
{
	struct tf_table_build *t = calloc(1, sizeof(*t));
	struct tf_bytes *data = calloc((size_t)shards, sizeof(*data)), *header;
	char name[256];

	assert_true(t && data);
	header = &t->file; /* built in place, moved into the first entry */
	tf_put_varint(header, 1 << 3);
	tf_put_varint(header, (uint64_t)shards);
	t->per_block = 3;
	t->snappy = snappy;
	{
		unsigned char copy[16];
		size_t len = header->n;

		memcpy(copy, header->data, len);
		header->n = 0;
		tf_table_add(t, "", copy, len);
	}
	for (int i = 0; i < n; i++) {
		struct tf_bytes *shard = &data[tensors[i].shard];

		add_tensor(t, &tensors[i], shard->n);
		tf_put(shard, tensors[i].data, tensors[i].len);
	}
	tf_table_end(t);
	for (int i = 0; i < shards; i++) {
		snprintf(name, sizeof(name), "%s.data-%05d-of-%05d", prefix, i, shards);
		bench_write(bench, name, data[i].data, data[i].n);
	}
	snprintf(name, sizeof(name), "%s.index", prefix);
	bench_write(bench, name, t->file.data, t->file.n);
	free(data);
	free(t);
}
