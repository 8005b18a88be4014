/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoder of the raw snappy format (format_description.txt of google/snappy), which newer
 * TensorFlow uses in index files. No framing, no checksum: both are the table's.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_SNAPPY_H
#define CKPT_CORE_FORMAT_TENSORFLOW_SNAPPY_H

#include <stddef.h>
#include <stdint.h>

enum ckpt_snappy_result {
	CKPT_SNAPPY_BAD = 1, /* no snappy, or its length is not the one it promises */
};

/* The decoded length that @src promises: 0 with *@ret, or CKPT_SNAPPY_BAD. Check it before
 * allocating. */
int ckpt_snappy_length(const uint8_t *src, size_t len, uint32_t *ret);

/* Decodes @src into @dst, which must have just the promised length @dst_len. 0 or CKPT_SNAPPY_BAD.
 */
int ckpt_snappy_decode(const uint8_t *src, size_t len, uint8_t *dst, size_t dst_len);

#endif
