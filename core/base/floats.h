/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in raw tensor data: which bits they are in each float type, and how many there are in
 * a piece of memory, at memory speed where there are none.
 */
#ifndef CKPT_CORE_BASE_FLOATS_H
#define CKPT_CORE_BASE_FLOATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Complex numbers are two of their parts. Types that have neither NaN nor Inf (integers, F4, F6)
 * are NONE. */
enum ckpt_float {
	CKPT_FLOAT_NONE,
	CKPT_FLOAT_UNKNOWN, /* may be a float, in bits that are not known here */
	CKPT_FLOAT_F16,
	CKPT_FLOAT_BF16,
	CKPT_FLOAT_F32,
	CKPT_FLOAT_F64,
	CKPT_FLOAT_E4M3, /* "FN" of OCP 8-bit float: no Inf, NaN is all ones but for the sign */
	CKPT_FLOAT_E5M2, /* IEEE-like */
	CKPT_FLOAT_FNUZ, /* E4M3FNUZ, E5M2FNUZ: no Inf, NaN is the negative zero */
	CKPT_FLOAT_E8M0, /* scales of OCP microscaling: no Inf, NaN is all ones */
	CKPT_FLOAT_COUNT,
};

/* How the numbers lie in the file. */
struct ckpt_float_kind {
	enum ckpt_float type;
	bool big; /* big-endian */
};

/* What was found. @first is a byte offset; meaningless while nan and inf are 0. */
struct ckpt_floats {
	uint64_t nan, inf, first;
};

/* Bytes of a number; 0 for NONE and UNKNOWN. */
unsigned ckpt_float_size(enum ckpt_float type);

/* The IEEE type of @bytes bytes (2, 4, 8), else UNKNOWN. */
enum ckpt_float ckpt_float_ieee(uint64_t bytes);

/*
 * Counts in @len bytes at @buf, any alignment, which lie at @off of what first is told in; adds to
 * *@ret. A number that the end cuts is not looked at.
 */
void ckpt_floats_count(struct ckpt_float_kind kind, const void *buf, size_t len, uint64_t off,
		       struct ckpt_floats *ret);

/* Adds @b to @a: first is the lower of the two. */
void ckpt_floats_add(struct ckpt_floats *a, const struct ckpt_floats *b);

/* Numbers that come in pieces of any length. Set kind (and off: of the first byte); rest zeroed. */
struct ckpt_floats_feed {
	struct ckpt_float_kind kind;
	uint64_t off;
	struct ckpt_floats found;
	uint8_t held[8]; /* of a number that the pieces cut */
	unsigned n_held;
};

/* Takes the next @len bytes. */
void ckpt_floats_take(struct ckpt_floats_feed *feed, const uint8_t *buf, size_t len);

#endif
