/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See floats.h. A number is suspect where its bits under a mask have one certain value: a loop of
 * loads, ands and compares without a branch, which compilers turn into vector code. Only a block
 * with a suspect in it is looked at number by number. Compiled with -O3 whatever the build is.
 */
#include "core/base/floats.h"

#include <string.h>

#define BLOCK 8192u /* bytes looked at before a decision is made */

/* IEEE types: the mask is the exponent, all ones of which are Inf, or NaN with any bit below. */
static const struct {
	uint8_t bytes;
	bool ieee;
	uint64_t mask, value;
} rows[CKPT_FLOAT_COUNT] = {
	[CKPT_FLOAT_F16] = { 2, true, 0x7c00, 0x7c00 },
	[CKPT_FLOAT_BF16] = { 2, true, 0x7f80, 0x7f80 },
	[CKPT_FLOAT_F32] = { 4, true, 0x7f800000, 0x7f800000 },
	[CKPT_FLOAT_F64] = { 8, true, 0x7ff0000000000000, 0x7ff0000000000000 },
	[CKPT_FLOAT_E4M3] = { 1, false, 0x7f, 0x7f },
	[CKPT_FLOAT_E5M2] = { 1, true, 0x7c, 0x7c },
	[CKPT_FLOAT_FNUZ] = { 1, false, 0xff, 0x80 },
	[CKPT_FLOAT_E8M0] = { 1, false, 0xff, 0xff },
};

unsigned ckpt_float_size(enum ckpt_float type)
{
	return rows[type].bytes;
}

enum ckpt_float ckpt_float_ieee(uint64_t bytes)
{
	return bytes == 2   ? CKPT_FLOAT_F16
	       : bytes == 4 ? CKPT_FLOAT_F32
	       : bytes == 8 ? CKPT_FLOAT_F64
			    : CKPT_FLOAT_UNKNOWN;
}

typedef uint16_t loose16 __attribute__((aligned(1), may_alias));
typedef uint32_t loose32 __attribute__((aligned(1), may_alias));

/* Whether any of @n numbers is suspect; @mask and @value in the file's byte order. */
#define ANY(name, type)                                                                            \
	static bool name(const void *buf, size_t n, uint64_t mask, uint64_t value)                 \
	{                                                                                          \
		const type *p = buf;                                                               \
		type m = (type)mask, v = (type)value, found = 0;                                   \
                                                                                                   \
		for (size_t i = 0; i < n; i++)                                                     \
			found |= (type)((p[i] & m) == v);                                          \
		return found;                                                                      \
	}

ANY(any8, uint8_t)
ANY(any16, loose16)
ANY(any32, loose32)

/*
 * All of the exponent lies in one half of the eight bytes. The other half is looked at too, for a
 * value that its mask never leaves: vectors of 32-bit words are had on every machine.
 */
static bool any64(const void *buf, size_t n, uint64_t mask, uint64_t value)
{
	const loose32 *p = buf;
	uint32_t m[2], v[2], found = 0;

	memcpy(m, &mask, sizeof(m));
	memcpy(v, &value, sizeof(v));
	for (int i = 0; i < 2; i++)
		v[i] = m[i] ? v[i] : 1;
	for (size_t i = 0; i < n; i++) {
		found |= (p[2 * i] & m[0]) == v[0];
		found |= (p[2 * i + 1] & m[1]) == v[1];
	}
	return found;
}

static uint64_t load(struct ckpt_float_kind kind, unsigned bytes, const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)p[i] << 8 * (kind.big ? bytes - 1 - i : i);
	return v;
}

/* Number by number. */
static void count_block(struct ckpt_float_kind kind, const uint8_t *buf, size_t len, uint64_t off,
			struct ckpt_floats *ret)
{
	unsigned bytes = rows[kind.type].bytes;
	uint64_t mask = rows[kind.type].mask;

	for (size_t i = 0; i + bytes <= len; i += bytes) {
		uint64_t v = load(kind, bytes, buf + i);
		bool inf = rows[kind.type].ieee && !(v & ((mask & -mask) - 1));

		if ((v & mask) != rows[kind.type].value)
			continue;
		if (ret->nan + ret->inf == 0 || off + i < ret->first)
			ret->first = off + i;
		ret->inf += inf;
		ret->nan += !inf;
	}
}

/* @value of @bytes bytes as the file has it in memory. */
static uint64_t in_order(uint64_t value, unsigned bytes, bool big)
{
	uint64_t out = 0;
	uint8_t raw[8];

	for (unsigned i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(value >> 8 * (big ? bytes - 1 - i : i));
	memcpy(&out, raw, bytes);
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? out >> 8 * (8 - bytes) : out;
}

void ckpt_floats_count(struct ckpt_float_kind kind, const void *buf, size_t len, uint64_t off,
		       struct ckpt_floats *ret)
{
	static bool (*const any[])(const void *, size_t, uint64_t, uint64_t) = {
		[1] = any8, [2] = any16, [4] = any32, [8] = any64
	};
	unsigned bytes = rows[kind.type].bytes;
	uint64_t mask, value;
	const uint8_t *p = buf;

	if (bytes == 0)
		return;
	mask = in_order(rows[kind.type].mask, bytes, kind.big);
	value = in_order(rows[kind.type].value, bytes, kind.big);
	while (len >= bytes) {
		size_t n = len < BLOCK ? len : BLOCK;

		if (any[bytes](p, n / bytes, mask, value))
			count_block(kind, p, n, off, ret);
		p += n;
		off += n;
		len -= n;
	}
}

void ckpt_floats_add(struct ckpt_floats *a, const struct ckpt_floats *b)
{
	if (b->nan + b->inf == 0)
		return;
	if (a->nan + a->inf == 0 || b->first < a->first)
		a->first = b->first;
	a->nan += b->nan;
	a->inf += b->inf;
}

void ckpt_floats_take(struct ckpt_floats_feed *feed, const uint8_t *buf, size_t len)
{
	unsigned bytes = rows[feed->kind.type].bytes;
	size_t whole;

	if (bytes == 0)
		return;
	for (; feed->n_held && len; buf++, len--) {
		feed->held[feed->n_held++ % sizeof(feed->held)] = *buf;
		if (feed->n_held < bytes)
			continue;
		ckpt_floats_count(feed->kind, feed->held, bytes, feed->off, &feed->found);
		feed->off += bytes;
		feed->n_held = 0;
	}
	whole = len / bytes * bytes;
	ckpt_floats_count(feed->kind, buf, whole, feed->off, &feed->found);
	feed->off += whole;
	if (len > whole)
		memcpy(feed->held, buf + whole, len - whole);
	feed->n_held += (unsigned)(len - whole);
}
