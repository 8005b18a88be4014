/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integers as they lie in files: any alignment, any width up to eight bytes, both orders.
 */
#ifndef CKPT_CORE_BASE_BYTES_H
#define CKPT_CORE_BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The little-endian unsigned integer of @n bytes (at most 8) at @p. */
static inline uint64_t ckpt_bytes_le(const void *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n < sizeof(v) ? n : sizeof(v)); /* one load where @n is a constant */
	return le64toh(v);
}

/* The big-endian one. */
static inline uint64_t ckpt_bytes_be(const void *p, size_t n)
{
	size_t most = n < sizeof(uint64_t) ? n : sizeof(uint64_t);
	uint64_t v = 0;

	memcpy((uint8_t *)&v + sizeof(v) - most, (const uint8_t *)p + n - most, most);
	return be64toh(v);
}

/* True if all of @n bytes at @p are zero. */
static inline bool ckpt_bytes_zero(const void *p, size_t n)
{
	const uint8_t *byte = p;

	for (size_t i = 0; i < n; i++)
		if (byte[i])
			return false;
	return true;
}

#endif
