/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base-128 numbers of protocol buffers, leveldb tables and snappy.
 */
#ifndef CKPT_CORE_BASE_VARINT_H
#define CKPT_CORE_BASE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A range of bytes that is eaten from the front. */
struct ckpt_bytes {
	const uint8_t *p;
	size_t n;
};

/* Takes a number of up to ten bytes off @in; false if it is cut or does not fit 64 bits. */
bool ckpt_varint_take(struct ckpt_bytes *in, uint64_t *ret);

/* Takes @n bytes off @in; false if there are fewer. */
bool ckpt_bytes_take(struct ckpt_bytes *in, uint64_t n, struct ckpt_bytes *ret);

#endif
