/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core/base/sha256_blocks.h: all engines, in every number of lanes and mixed, give the digests of
 * FIPS 180-4's examples and of libcrypto for any length.
 */
#include "core/base/sha256_blocks.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/scratch.h"

#define LANES CKPT_SHA256_LANES

/* A lane's whole message, padded. */
struct text {
	uint8_t *bytes;
	size_t len, blocks;
};

static struct text text_of(const void *data, size_t len)
{
	struct text t = { .bytes = calloc(1, len + CKPT_SHA256_END), .len = len };
	size_t whole = len / CKPT_SHA256_BLOCK * CKPT_SHA256_BLOCK;

	assert_non_null(t.bytes);
	memcpy(t.bytes, data, len);
	memset(t.bytes + len, 0xa5, CKPT_SHA256_END - (len - whole)); /* nothing relies on zeros */
	t.blocks = len / CKPT_SHA256_BLOCK + ckpt_sha256_pad(t.bytes + whole, len);
	return t;
}

static void assert_digest(const struct ckpt_sha256_state *state, int lane, const struct text *t)
{
	uint8_t got[CKPT_SHA256_SIZE], expected[CKPT_SHA256_SIZE];

	ckpt_sha256_digest(state, lane, got);
	assert_int_equal(EVP_Digest(t->bytes, t->len, expected, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(got, expected, sizeof(got));
}

/* Steps of as many blocks as all lanes have; a lane at its end idles. */
static void run(struct ckpt_sha256_ways ways, const struct text texts[LANES], int lanes)
{
	struct ckpt_sha256_state state = { .ways = ways };
	size_t at[LANES] = { 0 }, n;

	for (int i = 0; i < lanes; i++)
		ckpt_sha256_start(&state, i);
	do {
		const uint8_t *data[LANES] = { NULL };

		n = SIZE_MAX;
		for (int i = 0; i < lanes; i++) {
			size_t left = texts[i].blocks - at[i];

			data[i] = left ? texts[i].bytes + at[i] * CKPT_SHA256_BLOCK : NULL;
			n = left && left < n ? left : n;
		}
		n = n == SIZE_MAX ? 0 : n;
		assert_int_equal(ckpt_sha256_blocks(&state, data, n, NULL), 0);
		for (int i = 0; i < lanes; i++) {
			at[i] += data[i] ? n : 0;
			if (data[i] && at[i] == texts[i].blocks)
				assert_digest(&state, i, &texts[i]);
		}
	} while (n > 0);
	for (int i = 0; i < lanes; i++)
		assert_int_equal(at[i], texts[i].blocks);
}

/* @engine from @lanes on, if this CPU has it; below, or else, libcrypto. */
static struct ckpt_sha256_ways way(int engine, int lanes)
{
	struct ckpt_sha256_ways ways = CKPT_SHA256_NARROW;

	if (engine < CKPT_SHA256_ENGINES && ckpt_sha256_has((enum ckpt_sha256_engine)engine))
		ways.from[engine] = lanes;
	return ways;
}

/* Engine by engine, each from one lane on, and from so many that it changes amid a message, when
 * few lanes are left; libcrypto alone; all of them by turns, where this CPU has them. */
static void run_engines(const struct text texts[LANES], int lanes)
{
	struct ckpt_sha256_ways all = way(CKPT_SHA256_WIDE, 9);

	for (int engine = 0; engine <= CKPT_SHA256_ENGINES; engine++) {
		run(way(engine, 1), texts, lanes);
		run(way(engine, 8), texts, lanes);
	}
	all.from[CKPT_SHA256_QUAD] = way(CKPT_SHA256_QUAD, 3).from[CKPT_SHA256_QUAD];
	run(all, texts, lanes);
}

static void free_texts(struct text texts[LANES])
{
	for (int i = 0; i < LANES; i++)
		free(texts[i].bytes);
}

static void test_sha256_blocks__examples(void **state)
{
	static const char *const texts[] = {
		"abc", "", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqkl"
		"mnopqrlmnopqrsmnopqrstnopqrstu"
	};
	static const uint8_t starts[][4] = { { 0xba, 0x78, 0x16, 0xbf },
					     { 0xe3, 0xb0, 0xc4, 0x42 },
					     { 0x24, 0x8d, 0x6a, 0x61 },
					     { 0xcf, 0x5b, 0x16, 0xa7 } };

	(void)state;
	for (int engine = 0; engine <= CKPT_SHA256_ENGINES; engine++) {
		struct ckpt_sha256_state s = { .ways = way(engine, 1) };

		for (int i = 0; i < 4; i++) {
			struct text t = text_of(texts[i], strlen(texts[i]));
			const uint8_t *data[LANES] = { NULL };
			uint8_t digest[CKPT_SHA256_SIZE];

			data[i * 5] = t.bytes;
			ckpt_sha256_start(&s, i * 5);
			assert_int_equal(ckpt_sha256_blocks(&s, data, t.blocks, NULL), 0);
			ckpt_sha256_digest(&s, i * 5, digest);
			assert_memory_equal(digest, starts[i], sizeof(starts[i]));
			assert_digest(&s, i * 5, &t);
			free(t.bytes);
		}
	}
}

/* A million times the letter a (FIPS 180-2, B.3), whole and in steps. */
static void test_sha256_blocks__a_million(void **state)
{
	static const uint8_t expected[] = { 0xcd, 0xc7, 0x6e, 0x5c, 0x99, 0x14, 0xfb, 0x92,
					    0x81, 0xa1, 0xc7, 0xe2, 0x84, 0xd7, 0x3e, 0x67,
					    0xf1, 0x80, 0x9a, 0x48, 0xa4, 0x97, 0x20, 0x0e,
					    0x04, 0x6d, 0x39, 0xcc, 0xc7, 0x11, 0x2c, 0xd0 };
	char *letters = malloc(1000000);
	struct ckpt_sha256_state s;
	struct text t;

	(void)state;
	assert_non_null(letters);
	memset(letters, 'a', 1000000);
	t = text_of(letters, 1000000);
	for (size_t step = 1; step <= t.blocks; step = step * 5 + 1) {
		uint8_t digest[CKPT_SHA256_SIZE];

		ckpt_sha256_start(&s, 3);
		for (size_t at = 0; at < t.blocks; at += step) {
			const uint8_t *data[LANES] = { [3] = t.bytes + at * CKPT_SHA256_BLOCK };
			size_t left = t.blocks - at;

			s.ways = way((int)at % (CKPT_SHA256_ENGINES + 1), 1);
			assert_int_equal(
				ckpt_sha256_blocks(&s, data, left < step ? left : step, NULL), 0);
		}
		ckpt_sha256_digest(&s, 3, digest);
		assert_memory_equal(digest, expected, sizeof(expected));
	}
	free(t.bytes);
	free(letters);
}

#ifdef __x86_64__
/* The compiler's own look at the CPU and the kernel comes to the same. */
static void test_sha256_blocks__engine(void **state)
{
	struct ckpt_sha256_cpu cpu = ckpt_sha256_cpu();

	(void)state;
	__builtin_cpu_init();
	assert_int_equal(ckpt_sha256_has(CKPT_SHA256_WIDE),
			 __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"));
	assert_int_equal(cpu.amd, __builtin_cpu_is("amd") != 0);
}
#endif

/* Which engine takes how many lanes. */
static void test_sha256_blocks__ways(void **state)
{
	static const struct {
		struct ckpt_sha256_cpu cpu;
		int wide, quad, from;
	} cases[] = {
		{ { false, false, false },
		  CKPT_SHA256_NEVER,
		  CKPT_SHA256_NEVER,
		  CKPT_SHA256_NEVER },
		{ { true, true, false }, 8, CKPT_SHA256_NEVER, 8 },  /* Ice Lake and later */
		{ { true, false, false }, 3, CKPT_SHA256_NEVER, 3 }, /* Skylake */
		{ { false, true, false }, CKPT_SHA256_NEVER, CKPT_SHA256_NEVER, CKPT_SHA256_NEVER },
		{ { false, true, true }, CKPT_SHA256_NEVER, 3, 3 }, /* Zen 1 to 3 */
		{ { true, true, true }, 8, 3, 3 },		    /* Zen 4 and later */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ckpt_sha256_ways ways = ckpt_sha256_ways_of(&cases[i].cpu);

		assert_int_equal(ways.from[CKPT_SHA256_WIDE], cases[i].wide);
		assert_int_equal(ways.from[CKPT_SHA256_QUAD], cases[i].quad);
		assert_int_equal(ckpt_sha256_pays_from(&ways), cases[i].from);
	}
}

/* All lengths to 300, side by side with their neighbours; any number of lanes. */
static void test_sha256_blocks__lengths_and_lanes(void **state)
{
	uint8_t *noise = scratch_noise(400, 7);

	(void)state;
	for (size_t len = 0; len <= 300; len++) {
		struct text texts[LANES];

		for (int i = 0; i < LANES; i++)
			texts[i] = text_of(noise + i, len + (len % 3 ? (size_t)i * 5 : 0));
		run_engines(texts, 1 + (int)len % LANES);
		run_engines(texts, LANES);
		free_texts(texts);
	}
	free(noise);
}

/* Lengths around a block's and the padding's borders, each beside each. */
static void test_sha256_blocks__borders(void **state)
{
	static const size_t borders[] = { 0,   1,   55,	 56,  63,  64,	 65,   119,
					  120, 127, 128, 129, 191, 1024, 4095, 4096 };
	uint8_t *noise = scratch_noise(8192, 8);

	(void)state;
	for (int turn = 0; turn < LANES; turn++) {
		struct text texts[LANES];

		for (int i = 0; i < LANES; i++)
			texts[i] = text_of(noise + 17 * i, borders[(i * 7 + turn) % LANES]);
		run_engines(texts, LANES);
		free_texts(texts);
	}
	free(noise);
}

static void test_sha256_blocks__padding(void **state)
{
	(void)state;
	for (uint64_t len = 0; len < 200; len++) {
		uint8_t end[CKPT_SHA256_END];
		size_t at = len % 64, n;

		memset(end, 0x77, sizeof(end));
		n = ckpt_sha256_pad(end, len) * 64;
		assert_int_equal(n, at < 56 ? 64 : 128);
		assert_int_equal(end[at], 0x80);
		assert_int_equal(end[n - 2] << 8 | end[n - 1], len * 8);
		for (size_t i = 0; i < at; i++)
			assert_int_equal(end[i], 0x77);
		for (size_t i = at + 1; i < n - 2; i++)
			assert_int_equal(end[i], 0);
	}
}

/* A length that needs all eight bytes of its field: 2^61 - 1 bytes are the longest message. */
static void test_sha256_blocks__padding_of_the_longest(void **state)
{
	static const uint8_t field[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf8 };
	uint8_t end[CKPT_SHA256_END] = { 0 };

	(void)state;
	assert_int_equal(ckpt_sha256_pad(end, ((uint64_t)1 << 61) - 1), 2);
	assert_memory_equal(end + 120, field, sizeof(field));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef __x86_64__
		cmocka_unit_test(test_sha256_blocks__engine),
#endif
		cmocka_unit_test(test_sha256_blocks__ways),
		cmocka_unit_test(test_sha256_blocks__examples),
		cmocka_unit_test(test_sha256_blocks__a_million),
		cmocka_unit_test(test_sha256_blocks__lengths_and_lanes),
		cmocka_unit_test(test_sha256_blocks__borders),
		cmocka_unit_test(test_sha256_blocks__padding),
		cmocka_unit_test(test_sha256_blocks__padding_of_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
