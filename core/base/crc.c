/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See crc.h. Engines and arithmetic; the threads are in crc_verify.c.
 */
#include "core/base/crc.h"

#include <isa-l/crc.h>

#define ENGINE_MAX ((size_t)1 << 30) /* crc32_iscsi() takes its length as an int */

static uint32_t crc_some(enum ckpt_crc_kind kind, uint32_t crc, const void *buf, size_t len)
{
	if (kind == CKPT_CRC32)
		return crc32_gzip_refl(crc, buf, len);
	/* This one inverts neither its seed nor its result, and only forgot to say const. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)buf, (int)len, ~crc);
}

uint32_t ckpt_crc(enum ckpt_crc_kind kind, uint32_t crc, const void *buf, size_t len)
{
	const char *at = buf;

	while (len > 0) {
		size_t n = len < ENGINE_MAX ? len : ENGINE_MAX;

		crc = crc_some(kind, crc, at, n);
		at += n;
		len -= n;
	}
	return crc;
}

/* a * b modulo the polynomial, all in reflected bit order (x^0 is the top bit). */
static uint32_t multiply(uint32_t poly, uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b & 1 ? b >> 1 ^ poly : b >> 1;
	}
	return product;
}

uint32_t ckpt_crc_combine(enum ckpt_crc_kind kind, uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	uint32_t poly = kind == CKPT_CRC32 ? 0xedb88320 : 0x82f63b78;
	uint32_t power = UINT32_C(1) << 23; /* x^8: one byte */

	for (; len_b; len_b >>= 1) {
		if (len_b & 1)
			crc_a = multiply(poly, power, crc_a);
		power = multiply(poly, power, power);
	}
	return crc_a ^ crc_b;
}
