/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_quad.h. On a Zen 4 a block takes 58 cycles; 128 with one stream alone, 67 with two.
 * Message words stand in memory: four streams' working variables, which wait for each other, need
 * the registers.
 */
#include "core/base/sha256_quad.h"

#include "core/base/sha256_plain.h"

#ifdef __x86_64__
#include <immintrin.h>

#define QUAD __attribute__((target("sha,avx")))
#define N CKPT_SHA256_QUAD_LANES
#define ROWS 16 /* a block's 64 rounds, by fours */

/* One stream's; the order of the working variables is that of the instructions. */
struct stream {
	__m128i abef, cdgh;
	__m128i row;	    /* the message words of these four rounds */
	__m128i rows[ROWS]; /* and of those before */
};

/* Has @value stand in memory, and nowhere else. */
#define KEEP(value) __asm__("" : "+m"(value))

/* W(4 * r) to W(4 * r + 3), FIPS 180-4 6.2.2 step 1. */
QUAD static inline __m128i row_of(const struct stream *s, int r, const uint8_t *block)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i sum;

	if (r < 4)
		return _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + r), swap);
	sum = _mm_sha256msg1_epu32(s->rows[r - 4], s->rows[r - 3]);
	sum = _mm_add_epi32(sum, _mm_alignr_epi8(s->row, s->rows[r - 2], 4));
	return _mm_sha256msg2_epu32(sum, s->row);
}

/* Step 3 for four words. */
QUAD static inline void four_rounds(struct stream *s, int r, const uint8_t *block)
{
	__m128i kw;

	s->row = row_of(s, r, block);
	s->rows[r] = s->row;
	KEEP(s->rows[r]);
	kw = _mm_add_epi32(s->row, _mm_loadu_si128((const __m128i *)ckpt_sha256_k + r));
	s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, kw);
	s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

QUAD static inline void load(struct stream *s, uint32_t h[8][CKPT_SHA256_LANES], int lane)
{
	s->abef = _mm_set_epi32((int)h[0][lane], (int)h[1][lane], (int)h[4][lane], (int)h[5][lane]);
	s->cdgh = _mm_set_epi32((int)h[2][lane], (int)h[3][lane], (int)h[6][lane], (int)h[7][lane]);
}

QUAD static inline void store(const struct stream *s, uint32_t h[8][CKPT_SHA256_LANES], int lane)
{
	static const uint8_t words[] = { 5, 4, 1, 0, 7, 6, 3, 2 };
	uint32_t from[8];

	_mm_storeu_si128((__m128i *)from, s->abef);
	_mm_storeu_si128((__m128i *)from + 1, s->cdgh);
	for (int i = 0; i < 8; i++)
		h[words[i]][lane] = from[i];
}

QUAD void ckpt_sha256_quad(uint32_t h32[8][CKPT_SHA256_LANES], int first,
			   const uint8_t *const data[CKPT_SHA256_QUAD_LANES], size_t n,
			   const uint8_t *soon)
{
	size_t stride = soon ? CKPT_SHA256_BLOCK : 0;
	struct stream s[N];
	__m128i abef[N], cdgh[N];

	/* What others left in the upper halves (ISA-L's CRC does) makes SHA-NI three times slower.
	 */
	_mm256_zeroupper();
	soon = soon ? soon : data[0];
	for (int i = 0; i < N; i++)
		load(&s[i], h32, first + i);
	for (size_t off = 0; off < n * CKPT_SHA256_BLOCK; off += CKPT_SHA256_BLOCK) {
#pragma GCC unroll 4
		for (int i = 0; i < N; i++) {
			abef[i] = s[i].abef;
			cdgh[i] = s[i].cdgh;
			KEEP(abef[i]);
			KEEP(cdgh[i]);
		}
#pragma GCC unroll 16
		for (int r = 0; r < ROWS; r++) {
#pragma GCC unroll 4
			for (int i = 0; i < N; i++)
				four_rounds(&s[i], r, data[i] + off);
			if (r % (ROWS / N) == 0) {
				ckpt_sha256_fetch(soon);
				soon += stride;
			}
		}
#pragma GCC unroll 4
		for (int i = 0; i < N; i++) {
			s[i].abef = _mm_add_epi32(s[i].abef, abef[i]);
			s[i].cdgh = _mm_add_epi32(s[i].cdgh, cdgh[i]);
		}
	}
	for (int i = 0; i < N; i++)
		store(&s[i], h32, first + i);
}
#else
void ckpt_sha256_quad(uint32_t h32[8][CKPT_SHA256_LANES], int first,
		      const uint8_t *const data[CKPT_SHA256_QUAD_LANES], size_t n,
		      const uint8_t *soon)
{
	(void)h32, (void)first, (void)data, (void)n, (void)soon;
}
#endif
