/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_blocks.h. One stream's block needs the result of the one before, so that a vector unit
 * only helps with several streams. The libraries that work so do not fit: intel-ipsec-mb 1.3 takes
 * whole messages of at most 65,535 bytes (error 2009, measured) and needs 7 ms of self-tests,
 * isa-l_crypto is not in Debian. Measured on a CPU with SHA-NI and AVX-512: 16 lanes 4 GB/s
 * together, libcrypto 1.4 GB/s in one; hence WIDE_FROM. There is little left to gain: a block of
 * all lanes is 1,700 operations for two ports, and takes 905 cycles.
 */
#include "core/base/sha256_blocks.h"

#include <errno.h>
#include <string.h>

#include "core/base/libcrypto.h"
#include "core/base/sha256_plain.h"

#define LENGTH_SIZE 8 /* of the length in bits at a message's end */

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw")))
#define WIDE_FROM 8	     /* lanes, where libcrypto has SHA-NI */
#define WIDE_FROM_NO_SHANI 3 /* where it has not */
#define XCR0_WIDE 0xe6u	     /* bits 1, 2, 5, 6, 7 */

/* Whether the kernel keeps the registers: of SSE, AVX and AVX-512. */
static bool has_registers(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return false;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (a & XCR0_WIDE) == XCR0_WIDE;
}

/* The bits of CPUID 7.0 that tell engines. Not by __builtin_cpu_supports(): its set-up would be a
 * part of every program's start, 0.1 ms in a virtual machine, where each CPUID leads outside. */
static unsigned int features(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) ? b : 0;
}

bool ckpt_sha256_has_wide(void)
{
	const unsigned int wanted = bit_AVX512F | bit_AVX512BW;

	return (features() & wanted) == wanted && has_registers();
}

static int wide_from(void)
{
	if (!ckpt_sha256_has_wide())
		return CKPT_SHA256_NARROW;
	return features() & bit_SHA ? WIDE_FROM : WIDE_FROM_NO_SHANI;
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
 * loads wait in. Not _mm_prefetch(): gcc 12 takes a function of that alone for one without effect,
 * and drops it. */
WIDE static inline void fetch(const uint8_t *soon, int round)
{
	const uint8_t *line = soon + round / 4 * CKPT_SHA256_BLOCK;

	if (round % 4 == 3)
		__asm__ volatile("prefetcht1 %0" : : "m"(*line));
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

WIDE static void wide_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[16],
			     size_t n, const uint8_t *soon)
{
	size_t last = (n - 1) * CKPT_SHA256_BLOCK;
	size_t stride = soon ? CKPT_SHA256_SOON : 0;
	__m512i h[8], s[8], w[16], quads[16];

	soon = soon ? soon : data[0];

	memcpy(h, state->h, sizeof(h));
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

static void wide_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[16], size_t n,
			const uint8_t *soon)
{
	(void)state, (void)data, (void)n, (void)soon;
}
#endif

void ckpt_sha256_state_init(struct ckpt_sha256_state *state)
{
	state->wide_from = wide_from();
}

void ckpt_sha256_start(struct ckpt_sha256_state *state, int lane)
{
	for (int i = 0; i < 8; i++)
		state->h[i][lane] = ckpt_sha256_initial[i];
}

/* libcrypto's engine, which takes and returns the state through its context: amid a message the
 * other engine may have had it. */
static int narrow_blocks(struct ckpt_sha256_state *state, int lane, const uint8_t *data, size_t n)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	SHA256_CTX ctx;

	if (!lib || !lib->SHA256_Init(&ctx))
		return -EIO;
	for (int i = 0; i < 8; i++)
		ctx.h[i] = state->h[i][lane];
	if (!lib->SHA256_Update(&ctx, data, n * CKPT_SHA256_BLOCK))
		return -EIO;
	for (int i = 0; i < 8; i++)
		state->h[i][lane] = ctx.h[i];
	return 0;
}

int ckpt_sha256_blocks(struct ckpt_sha256_state *state,
		       const uint8_t *const data[CKPT_SHA256_LANES], size_t n, const uint8_t *soon)
{
	const uint8_t *all[CKPT_SHA256_LANES], *any = NULL;
	int lanes = 0, r = 0;

	for (int i = 0; i < CKPT_SHA256_LANES; i++) {
		lanes += data[i] != NULL;
		any = data[i] ? data[i] : any;
	}
	if (n == 0 || lanes == 0 || lanes < state->wide_from) {
		for (int i = 0; r == 0 && i < CKPT_SHA256_LANES; i++)
			r = data[i] ? narrow_blocks(state, i, data[i], n) : 0;
		return r;
	}
	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		all[i] = data[i] ? data[i] : any;
	wide_blocks(state, all, n, soon);
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
