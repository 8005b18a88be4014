/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compression function of SHA-256 (FIPS 180-4) for up to 16 independent streams: their blocks
 * are worked off side by side where the CPU has an engine for that, else one stream after the other
 * by libcrypto. What a stream is and where its bytes come from is the caller's: see
 * sha256_streams.h.
 */
#ifndef CKPT_CORE_BASE_SHA256_BLOCKS_H
#define CKPT_CORE_BASE_SHA256_BLOCKS_H

#include "core/base/sha256_cpu.h"

#define CKPT_SHA256_SIZE 32

/* Longest end of a message: its last incomplete block, the padding and the length. */
#define CKPT_SHA256_END ((size_t)2 * CKPT_SHA256_BLOCK)

/* Those that work streams side by side, the one that is asked first before the other. */
enum ckpt_sha256_engine {
	CKPT_SHA256_WIDE, /* sha256_wide.h */
	CKPT_SHA256_QUAD, /* sha256_quad.h */
	CKPT_SHA256_ENGINES,
};

/* Lanes from which on each of the engines is used. */
struct ckpt_sha256_ways {
	int from[CKPT_SHA256_ENGINES];
};

#define CKPT_SHA256_NEVER (CKPT_SHA256_LANES + 1)

/* By libcrypto alone. */
#define CKPT_SHA256_NARROW ((struct ckpt_sha256_ways) { { CKPT_SHA256_NEVER, CKPT_SHA256_NEVER } })

struct ckpt_sha256_state {
	_Alignas(64) uint32_t h[8][CKPT_SHA256_LANES]; /* word by word, lane by lane */
	struct ckpt_sha256_ways ways; /* ckpt_sha256_ways(), or fewer: to be set first */
};

/* True if this CPU has @engine, whether it pays or not. */
bool ckpt_sha256_has(enum ckpt_sha256_engine engine);

/* The engines that pay on this CPU. */
struct ckpt_sha256_ways ckpt_sha256_ways(void);

/* The same of another one. */
struct ckpt_sha256_ways ckpt_sha256_ways_of(const struct ckpt_sha256_cpu *cpu);

/* Lanes from which on any of them is used; CKPT_SHA256_NEVER: none. */
int ckpt_sha256_pays_from(const struct ckpt_sha256_ways *ways);

/* Begins a message in @lane. */
void ckpt_sha256_start(struct ckpt_sha256_state *state, int lane);

/*
 * Takes @n blocks in at @data[lane] for each lane whose pointer is not NULL. The others' state is
 * undefined afterwards. Where that is done side by side, @n * CKPT_SHA256_SOON bytes from @soon on
 * are fetched into the CPU's cache meanwhile, by instructions that cannot fault; NULL: none. 0, or
 * -EIO when libcrypto refuses.
 */
int ckpt_sha256_blocks(struct ckpt_sha256_state *state,
		       const uint8_t *const data[CKPT_SHA256_LANES], size_t n, const uint8_t *soon);

/*
 * Ends a message of @len bytes: appends the padding to the last @len % 64 bytes of it, which stand
 * at @end with room for CKPT_SHA256_END. Returns how many blocks are there to be taken in: 1 or 2.
 */
size_t ckpt_sha256_pad(uint8_t *end, uint64_t len);

/* The digest of what @lane took in, padding included. */
void ckpt_sha256_digest(const struct ckpt_sha256_state *state, int lane,
			uint8_t ret[CKPT_SHA256_SIZE]);

#endif
