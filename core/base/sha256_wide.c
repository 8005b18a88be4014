/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_wide.h. There is little left to gain on a Xeon: a block of all lanes is 1,700
 * operations for two ports, and takes 905 cycles (1,070 on a Zen 4).
 */
#include "core/base/sha256_wide.h"

#include <string.h>

#include "core/base/sha256_plain.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw")))

/* Exclusive or of the three. */
WIDE static inline __m512i xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

WIDE static inline __m512i add(__m512i a, __m512i b)
{
	return _mm512_add_epi32(a, b);
}

/* Words of the lanes @g to @g + 3: word 4q + j of lane g + i into quads[g + j], at [q][i]. */
WIDE static inline void load_lanes(const uint8_t *const data[16], size_t off, int g,
				   __m512i quads[16])
{
	__m512i w0 = _mm512_loadu_si512(data[g] + off), w1 = _mm512_loadu_si512(data[g + 1] + off);
	__m512i w2 = _mm512_loadu_si512(data[g + 2] + off);
	__m512i w3 = _mm512_loadu_si512(data[g + 3] + off);
	__m512i a = _mm512_unpacklo_epi32(w0, w1), b = _mm512_unpackhi_epi32(w0, w1);
	__m512i c = _mm512_unpacklo_epi32(w2, w3), d = _mm512_unpackhi_epi32(w2, w3);

	quads[g] = _mm512_unpacklo_epi64(a, c);
	quads[g + 1] = _mm512_unpackhi_epi64(a, c);
	quads[g + 2] = _mm512_unpacklo_epi64(b, d);
	quads[g + 3] = _mm512_unpackhi_epi64(b, d);
}

/* Word i of all lanes into w[i]. */
WIDE static inline void words_of(const __m512i quads[16], __m512i w[16])
{
	const __m512i swap =
		_mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL));

#pragma GCC unroll 4
	for (int j = 0; j < 4; j++) {
		__m512i a = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0x88);
		__m512i b = _mm512_shuffle_i32x4(quads[j], quads[4 + j], 0xdd);
		__m512i c = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0x88);
		__m512i d = _mm512_shuffle_i32x4(quads[8 + j], quads[12 + j], 0xdd);

		w[j] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(a, c, 0x88), swap);
		w[4 + j] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(b, d, 0x88), swap);
		w[8 + j] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(a, c, 0xdd), swap);
		w[12 + j] = _mm512_shuffle_epi8(_mm512_shuffle_i32x4(b, d, 0xdd), swap);
	}
}

/* W(i + 16) into the place of W(i), FIPS 180-4 6.2.2 step 1. */
WIDE static inline void schedule(__m512i w[16], int i)
{
	__m512i x = w[(i + 1) & 15], y = w[(i + 14) & 15];
	__m512i s0 = xor3(_mm512_ror_epi32(x, 7), _mm512_ror_epi32(x, 18), _mm512_srli_epi32(x, 3));
	__m512i s1 =
		xor3(_mm512_ror_epi32(y, 17), _mm512_ror_epi32(y, 19), _mm512_srli_epi32(y, 10));

	w[i] = add(add(w[i], s0), add(w[(i + 9) & 15], s1));
}

/* Step 3 for one word; the working variables a to h stand at s[-i & 7] onwards. */
WIDE static inline void round_of(__m512i s[8], int i, __m512i kw)
{
	__m512i a = s[-i & 7], b = s[(1 - i) & 7], c = s[(2 - i) & 7];
	__m512i e = s[(4 - i) & 7], f = s[(5 - i) & 7], g = s[(6 - i) & 7];
	__m512i s1 = xor3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
	__m512i s0 = xor3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
	__m512i ch = _mm512_ternarylogic_epi32(e, f, g, 0xca);
	__m512i maj = _mm512_ternarylogic_epi32(a, b, c, 0xe8);
	__m512i t1 = add(add(s[(7 - i) & 7], kw), add(s1, ch));

	s[(3 - i) & 7] = add(s[(3 - i) & 7], t1);
	s[(7 - i) & 7] = add(t1, add(s0, maj));
}

/* A line of the cache every fourth round, 16 a block: in one go they would fill the buffers that
 * loads wait in. */
WIDE static inline void fetch(const uint8_t *soon, int round)
{
	if (round % 4 == 3)
		ckpt_sha256_fetch(soon + round / 4 * CKPT_SHA256_BLOCK);
}

/* Rounds 0 to 47: each uses a word and puts the one 16 rounds later in its place. */
WIDE static inline void rounds(__m512i s[8], __m512i w[16], const uint8_t *soon)
{
	for (int at = 0; at < 48; at += 16) {
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			round_of(s, i, add(w[i], _mm512_set1_epi32((int)ckpt_sha256_k[at + i])));
			schedule(w, i);
			fetch(soon + at * 16, i);
		}
	}
}

/* The last 16, which leave room for other work: the blocks at @off are loaded between them. */
WIDE static inline void last_rounds(__m512i s[8], const __m512i w[16],
				    const uint8_t *const data[16], size_t off, const uint8_t *soon,
				    __m512i quads[16])
{
#pragma GCC unroll 4
	for (int g = 0; g < 16; g += 4) {
#pragma GCC unroll 4
		for (int i = g; i < g + 4; i++) {
			round_of(s, i, add(w[i], _mm512_set1_epi32((int)ckpt_sha256_k[48 + i])));
			fetch(soon + 48 * 16, i);
		}
		load_lanes(data, off, g, quads);
	}
}

WIDE void ckpt_sha256_wide(uint32_t h32[8][CKPT_SHA256_LANES],
			   const uint8_t *const data[CKPT_SHA256_LANES], size_t n,
			   const uint8_t *soon)
{
	size_t last = (n - 1) * CKPT_SHA256_BLOCK;
	size_t stride = soon ? CKPT_SHA256_SOON : 0;
	__m512i h[8], s[8], w[16], quads[16];

	soon = soon ? soon : data[0];

	memcpy(h, h32, sizeof(h));
#pragma GCC unroll 4
	for (int g = 0; g < 16; g += 4)
		load_lanes(data, 0, g, quads);
	for (size_t off = 0; off <= last; off += CKPT_SHA256_BLOCK) {
		words_of(quads, w);
		memcpy(s, h, sizeof(s));
		rounds(s, w, soon);
		last_rounds(s, w, data, off < last ? off + CKPT_SHA256_BLOCK : last, soon, quads);
		soon += stride;
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			h[i] = add(h[i], s[i]);
	}
	memcpy(h32, h, sizeof(h));
}
#else
void ckpt_sha256_wide(uint32_t h32[8][CKPT_SHA256_LANES],
		      const uint8_t *const data[CKPT_SHA256_LANES], size_t n, const uint8_t *soon)
{
	(void)h32, (void)data, (void)n, (void)soon;
}
#endif
