/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_blocks.h. One stream's block needs the result of the one before, so that there is
 * something to gain only with several streams. The libraries that work so do not fit:
 * intel-ipsec-mb 1.3 takes whole messages of at most 65,535 bytes (error 2009, measured) and needs
 * 7 ms of self-tests, isa-l_crypto is not in Debian.
 */
#include "core/base/sha256_blocks.h"

#include <errno.h>
#include <string.h>

#include "core/base/libcrypto.h"
#include "core/base/sha256_plain.h"
#include "core/base/sha256_quad.h"
#include "core/base/sha256_wide.h"

#define LENGTH_SIZE 8 /* of the length in bits at a message's end */

/*
 * Lanes from which on an engine pays, beside libcrypto's one stream after the other, in GB/s: a
 * Xeon (Emerald Rapids) 1.4, wide 4.0, two streams of SHA-NI 1.6; a Zen 4 1.8, wide 3.6, quad 4.0,
 * but with something else on the other half of the core wide 3.1 and quad 2.4.
 */
#define WIDE_FROM 8	     /* where libcrypto has SHA-NI */
#define WIDE_FROM_NO_SHANI 3 /* where it has not */
#define QUAD_FROM 3

bool ckpt_sha256_has(enum ckpt_sha256_engine engine)
{
	struct ckpt_sha256_cpu cpu = ckpt_sha256_cpu();

	return engine == CKPT_SHA256_WIDE ? cpu.wide : cpu.quad;
}

struct ckpt_sha256_ways ckpt_sha256_ways_of(const struct ckpt_sha256_cpu *cpu)
{
	struct ckpt_sha256_ways ways = CKPT_SHA256_NARROW;

	if (cpu->wide)
		ways.from[CKPT_SHA256_WIDE] = cpu->quad ? WIDE_FROM : WIDE_FROM_NO_SHANI;
	if (cpu->quad && cpu->amd)
		ways.from[CKPT_SHA256_QUAD] = QUAD_FROM;
	return ways;
}

struct ckpt_sha256_ways ckpt_sha256_ways(void)
{
	struct ckpt_sha256_cpu cpu = ckpt_sha256_cpu();

	return ckpt_sha256_ways_of(&cpu);
}

int ckpt_sha256_pays_from(const struct ckpt_sha256_ways *ways)
{
	int least = CKPT_SHA256_NEVER;

	for (int i = 0; i < CKPT_SHA256_ENGINES; i++)
		least = ways->from[i] < least ? ways->from[i] : least;
	return least;
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

/* An engine takes all of its @n lanes: to @all those of @data, in idle ones' places that of any.
 * False if all are idle. */
static bool fill_lanes(const uint8_t *all[], const uint8_t *const data[], int n)
{
	const uint8_t *any = NULL;

	for (int i = 0; i < n; i++)
		any = data[i] ? data[i] : any;
	for (int i = 0; i < n; i++)
		all[i] = data[i] ? data[i] : any;
	return any != NULL;
}

static int wide_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[], size_t n,
		       const uint8_t *soon)
{
	const uint8_t *all[CKPT_SHA256_LANES];

	if (fill_lanes(all, data, CKPT_SHA256_LANES))
		ckpt_sha256_wide(state->h, all, n, soon);
	return 0;
}

static int quad_blocks(struct ckpt_sha256_state *state, const uint8_t *const data[], size_t n,
		       const uint8_t *soon)
{
	for (int at = 0; at < CKPT_SHA256_LANES; at += CKPT_SHA256_QUAD_LANES) {
		const uint8_t *all[CKPT_SHA256_QUAD_LANES];

		if (!fill_lanes(all, data + at, CKPT_SHA256_QUAD_LANES))
			continue;
		ckpt_sha256_quad(state->h, at, all, n, soon);
		soon = soon ? soon + n * CKPT_SHA256_QUAD_LANES * CKPT_SHA256_BLOCK : NULL;
	}
	return 0;
}

static int narrow_lanes(struct ckpt_sha256_state *state, const uint8_t *const data[], size_t n,
			const uint8_t *soon)
{
	int r = 0;

	(void)soon;
	for (int i = 0; r == 0 && i < CKPT_SHA256_LANES; i++)
		r = data[i] ? narrow_blocks(state, i, data[i], n) : 0;
	return r;
}

int ckpt_sha256_blocks(struct ckpt_sha256_state *state,
		       const uint8_t *const data[CKPT_SHA256_LANES], size_t n, const uint8_t *soon)
{
	static int (*const engines[])(struct ckpt_sha256_state *, const uint8_t *const[], size_t,
				      const uint8_t *) = {
		[CKPT_SHA256_WIDE] = wide_blocks,
		[CKPT_SHA256_QUAD] = quad_blocks,
		[CKPT_SHA256_ENGINES] = narrow_lanes,
	};
	int lanes = 0, engine = 0;

	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		lanes += data[i] != NULL;
	if (n == 0 || lanes == 0)
		return 0;
	while (engine < CKPT_SHA256_ENGINES && lanes < state->ways.from[engine])
		engine++;
	return engines[engine](state, data, n, soon);
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
