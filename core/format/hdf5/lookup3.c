/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lookup3.h. The last one to twelve bytes are mixed differently, so a block is held back until
 * more follow.
 */
#include "core/format/hdf5/lookup3.h"

#include <string.h>

#include "core/base/bytes.h"

#define BLOCK 12

static uint32_t rot(uint32_t x, int k)
{
	return x << k | x >> (32 - k);
}

static void load(struct ckpt_lookup3 *s)
{
	s->a += (uint32_t)ckpt_bytes_le(s->buf, 4);
	s->b += (uint32_t)ckpt_bytes_le(s->buf + 4, 4);
	s->c += (uint32_t)ckpt_bytes_le(s->buf + 8, 4);
}

static void mix(struct ckpt_lookup3 *s)
{
	load(s);
	s->a = (s->a - s->c) ^ rot(s->c, 4), s->c += s->b;
	s->b = (s->b - s->a) ^ rot(s->a, 6), s->a += s->c;
	s->c = (s->c - s->b) ^ rot(s->b, 8), s->b += s->a;
	s->a = (s->a - s->c) ^ rot(s->c, 16), s->c += s->b;
	s->b = (s->b - s->a) ^ rot(s->a, 19), s->a += s->c;
	s->c = (s->c - s->b) ^ rot(s->b, 4), s->b += s->a;
}

void ckpt_lookup3_init(struct ckpt_lookup3 *s, uint64_t total)
{
	s->n = 0;
	s->a = s->b = s->c = 0xdeadbeef + (uint32_t)total;
}

void ckpt_lookup3_add(struct ckpt_lookup3 *s, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len > 0) {
		size_t n = BLOCK - s->n < len ? BLOCK - s->n : len;

		if (n == 0) {
			mix(s);
			s->n = 0;
			continue;
		}
		memcpy(s->buf + s->n, p, n);
		s->n += (uint32_t)n;
		p += n;
		len -= n;
	}
}

uint32_t ckpt_lookup3_end(struct ckpt_lookup3 *s)
{
	if (s->n == 0)
		return s->c;
	memset(s->buf + s->n, 0, BLOCK - s->n);
	load(s);
	s->c = (s->c ^ s->b) - rot(s->b, 14);
	s->a = (s->a ^ s->c) - rot(s->c, 11);
	s->b = (s->b ^ s->a) - rot(s->a, 25);
	s->c = (s->c ^ s->b) - rot(s->b, 16);
	s->a = (s->a ^ s->c) - rot(s->c, 4);
	s->b = (s->b ^ s->a) - rot(s->a, 14);
	s->c = (s->c ^ s->b) - rot(s->b, 24);
	return s->c;
}
