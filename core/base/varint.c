/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See varint.h.
 */
#include "core/base/varint.h"

bool ckpt_varint_take(struct ckpt_bytes *in, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 10 && i < in->n; i++) {
		uint64_t bits = in->p[i] & 0x7f;

		if (i == 9 && in->p[i] > 1)
			return false;
		v |= bits << (7 * i);
		if (in->p[i] & 0x80)
			continue;
		in->p += i + 1;
		in->n -= i + 1;
		*ret = v;
		return true;
	}
	return false;
}

bool ckpt_bytes_take(struct ckpt_bytes *in, uint64_t n, struct ckpt_bytes *ret)
{
	if (n > in->n)
		return false;
	*ret = (struct ckpt_bytes) { in->p, (size_t)n };
	in->p += n;
	in->n -= (size_t)n;
	return true;
}
