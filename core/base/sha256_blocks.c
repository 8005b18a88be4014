/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_blocks.h. One stream's block needs the result of the one before, so that a vector unit
 * only helps with several streams. The libraries that work so do not fit: intel-ipsec-mb 1.3 takes
 * whole messages of at most 65,535 bytes (error 2009, measured) and needs 7 ms of self-tests,
 * isa-l_crypto is not in Debian. Measured on a CPU with SHA-NI and AVX-512: 16 lanes 4 GB/s
 * together, libcrypto 1.4 GB/s in one; hence WIDE_FROM.
 */
#include "core/base/sha256_blocks.h"

#include <errno.h>
#include <string.h>

/* Nothing newer lets a state in and out, which changing the engine amid a message needs. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#define LENGTH_SIZE 8 /* of the length in bits at a message's end */

static const uint32_t initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
				     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw")))
#define WIDE_FROM 8	     /* lanes, where libcrypto has SHA-NI */
#define WIDE_FROM_NO_SHANI 3 /* where it has not */

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2
};

bool ckpt_sha256_has_wide(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

static int wide_from(void)
{
	unsigned int a, b, c, d;

	if (!ckpt_sha256_has_wide())
		return CKPT_SHA256_NARROW;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA ? WIDE_FROM
								      : WIDE_FROM_NO_SHANI;
}

/* Exclusive or of the three. */
WIDE static inline __m512i xor3(__m512i a, __m512i b, __m512i c)
{
	return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

WIDE static inline __m512i add(__m512i a, __m512i b)
{
	return _mm512_add_epi32(a, b);
}

/* Rows of four 32-bit words: from w[row][4q+j] to out[4g+j][q][row in g]. */
WIDE static inline void transpose_quads(const __m512i w[16], __m512i out[16])
{
#pragma GCC unroll 4
	for (int g = 0; g < 16; g += 4) {
		__m512i a = _mm512_unpacklo_epi32(w[g], w[g + 1]);
		__m512i b = _mm512_unpackhi_epi32(w[g], w[g + 1]);
		__m512i c = _mm512_unpacklo_epi32(w[g + 2], w[g + 3]);
		__m512i d = _mm512_unpackhi_epi32(w[g + 2], w[g + 3]);

		out[g] = _mm512_unpacklo_epi64(a, c);
		out[g + 1] = _mm512_unpackhi_epi64(a, c);
		out[g + 2] = _mm512_unpacklo_epi64(b, d);
		out[g + 3] = _mm512_unpackhi_epi64(b, d);
	}
}

/* Word i of all lanes into w[i], from the lanes' next blocks. */
WIDE static inline void load(const uint8_t *const data[16], size_t off, __m512i w[16])
{
	const __m512i swap =
		_mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL));
	__m512i quads[16];

#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		w[i] = _mm512_loadu_si512(data[i] + off);
	transpose_quads(w, quads);
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

WIDE static inline void wide_block(__m512i h[8], __m512i w[16])
{
	__m512i s[8];

	memcpy(s, h, sizeof(s));
	for (int at = 0; at < 48; at += 16) {
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			round_of(s, i, add(w[i], _mm512_set1_epi32((int)k[at + i])));
			schedule(w, i);
		}
	}
#pragma GCC unroll 16
	for (int i = 0; i < 16; i++)
		round_of(s, i, add(w[i], _mm512_set1_epi32((int)k[48 + i])));
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		h[i] = add(h[i], s[i]);
}

WIDE static void wide_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[16],
			     size_t n)
{
	__m512i h[8], w[16];

	memcpy(h, state->h, sizeof(h));
	for (size_t off = 0; off < n * CKPT_SHA256_BLOCK; off += CKPT_SHA256_BLOCK) {
		load(data, off, w);
		wide_block(h, w);
	}
	memcpy(state->h, h, sizeof(h));
}
#else
bool ckpt_sha256_has_wide(void)
{
	return false;
}

static int wide_from(void)
{
	return CKPT_SHA256_NARROW;
}

static void wide_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[16], size_t n)
{
	(void)state, (void)data, (void)n;
}
#endif

void ckpt_sha256_state_init(struct ckpt_sha256_state *state)
{
	state->wide_from = wide_from();
}

void ckpt_sha256_start(struct ckpt_sha256_state *state, int lane)
{
	for (int i = 0; i < 8; i++)
		state->h[i][lane] = initial[i];
}

/* libcrypto's engine, which takes and returns the state through its context. */
static int narrow_blocks(struct ckpt_sha256_state *state, int lane, const uint8_t *data, size_t n)
{
	SHA256_CTX ctx;

	if (!SHA256_Init(&ctx))
		return -EIO;
	for (int i = 0; i < 8; i++)
		ctx.h[i] = state->h[i][lane];
	if (!SHA256_Update(&ctx, data, n * CKPT_SHA256_BLOCK))
		return -EIO;
	for (int i = 0; i < 8; i++)
		state->h[i][lane] = ctx.h[i];
	return 0;
}

int ckpt_sha256_blocks(struct ckpt_sha256_state *state,
		       const uint8_t *const data[CKPT_SHA256_LANES], size_t n)
{
	const uint8_t *all[CKPT_SHA256_LANES], *any = NULL;
	int lanes = 0, r = 0;

	for (int i = 0; i < CKPT_SHA256_LANES; i++) {
		lanes += data[i] != NULL;
		any = data[i] ? data[i] : any;
	}
	if (lanes == 0 || lanes < state->wide_from) {
		for (int i = 0; r == 0 && i < CKPT_SHA256_LANES; i++)
			r = data[i] ? narrow_blocks(state, i, data[i], n) : 0;
		return r;
	}
	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		all[i] = data[i] ? data[i] : any;
	wide_blocks(state, all, n);
	return 0;
}

static void put_be(uint8_t *at, uint64_t value, int bytes)
{
	while (bytes-- > 0) {
		at[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

size_t ckpt_sha256_pad(uint8_t *end, uint64_t len)
{
	size_t at = (size_t)(len % CKPT_SHA256_BLOCK);
	size_t blocks = at + 1 + LENGTH_SIZE <= CKPT_SHA256_BLOCK ? 1 : 2;

	memset(end + at, 0, blocks * CKPT_SHA256_BLOCK - at);
	end[at] = 0x80;
	put_be(end + blocks * CKPT_SHA256_BLOCK - LENGTH_SIZE, len * 8, LENGTH_SIZE);
	return blocks;
}

void ckpt_sha256_digest(const struct ckpt_sha256_state *state, int lane,
			uint8_t ret[CKPT_SHA256_SIZE])
{
	for (int i = 0; i < 8; i++)
		put_be(ret + i * sizeof(uint32_t), state->h[i][lane], sizeof(uint32_t));
}
