/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See snappy.h. The low two bits of a tag say what it is: literal bytes, or a copy of what was
 * decoded before, with an offset of one, two or four bytes.
 */
#include "core/format/tensorflow/snappy.h"

#include <string.h>

#include "core/base/varint.h"

int ckpt_snappy_length(const uint8_t *src, size_t len, uint32_t *ret)
{
	struct ckpt_bytes in = { src, len };
	uint64_t v;

	if (!ckpt_varint_take(&in, &v) || v > UINT32_MAX)
		return CKPT_SNAPPY_BAD;
	*ret = (uint32_t)v;
	return 0;
}

/* Takes a little-endian number of @n bytes (1 to 4). */
static int take_le(struct ckpt_bytes *in, size_t n, uint32_t *ret)
{
	struct ckpt_bytes b;
	uint32_t v = 0;

	if (!ckpt_bytes_take(in, n, &b))
		return CKPT_SNAPPY_BAD;
	while (n-- > 0)
		v = v << 8 | b.p[n];
	*ret = v;
	return 0;
}

struct out {
	uint8_t *p;
	size_t n, cap;
};

static int literal(struct ckpt_bytes *in, uint8_t tag, struct out *out)
{
	uint32_t len = tag >> 2;
	struct ckpt_bytes b;

	if (len >= 60 && take_le(in, len - 59, &len))
		return CKPT_SNAPPY_BAD;
	if (!ckpt_bytes_take(in, (uint64_t)len + 1, &b) || b.n > out->cap - out->n)
		return CKPT_SNAPPY_BAD;
	memcpy(out->p + out->n, b.p, b.n);
	out->n += b.n;
	return 0;
}

static int copy(struct ckpt_bytes *in, uint8_t tag, struct out *out)
{
	static const size_t offset_bytes[] = { 0, 1, 2, 4 };
	uint32_t offset, len = (tag >> 2) + 1u;

	if (take_le(in, offset_bytes[tag & 3], &offset))
		return CKPT_SNAPPY_BAD;
	if ((tag & 3) == 1) { /* three bits of length, three more of the offset */
		len = (tag >> 2 & 7) + 4u;
		offset |= (uint32_t)(tag >> 5) << 8;
	}
	if (!offset || offset > out->n || len > out->cap - out->n)
		return CKPT_SNAPPY_BAD;
	for (; len > 0; len--, out->n++) /* the ranges may overlap: a run repeats itself */
		out->p[out->n] = out->p[out->n - offset];
	return 0;
}

int ckpt_snappy_decode(const uint8_t *src, size_t len, uint8_t *dst, size_t dst_len)
{
	struct ckpt_bytes in = { src, len };
	struct out out = { dst, 0, dst_len };
	uint64_t promised;

	if (!ckpt_varint_take(&in, &promised) || promised != dst_len)
		return CKPT_SNAPPY_BAD;
	while (in.n > 0) {
		uint8_t tag = *in.p;

		in.p++;
		in.n--;
		if ((tag & 3 ? copy : literal)(&in, tag, &out))
			return CKPT_SNAPPY_BAD;
	}
	return out.n == out.cap ? 0 : CKPT_SNAPPY_BAD;
}
