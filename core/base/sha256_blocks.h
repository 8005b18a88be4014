/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compression function of SHA-256 (FIPS 180-4) for up to 16 independent streams: their blocks
 * are worked off side by side where the CPU has AVX-512, else one stream after the other by
 * libcrypto. What a stream is and where its bytes come from is the caller's: see sha256_streams.h.
 */
#ifndef CKPT_CORE_BASE_SHA256_BLOCKS_H
#define CKPT_CORE_BASE_SHA256_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CKPT_SHA256_SIZE 32
#define CKPT_SHA256_BLOCK 64
#define CKPT_SHA256_LANES 16

/* Longest end of a message: its last incomplete block, the padding and the length. */
#define CKPT_SHA256_END ((size_t)2 * CKPT_SHA256_BLOCK)

struct ckpt_sha256_state {
	_Alignas(64) uint32_t h[8][CKPT_SHA256_LANES]; /* word by word, lane by lane */
	int wide_from; /* lanes from which on they are worked off side by side */
};

/* As wide_from: never. */
#define CKPT_SHA256_NARROW (CKPT_SHA256_LANES + 1)

/* Prepares for ckpt_sha256_start(): which engine pays on this CPU. */
void ckpt_sha256_state_init(struct ckpt_sha256_state *state);

/* True if this CPU can work 16 lanes side by side. */
bool ckpt_sha256_has_wide(void);

/* Begins a message in @lane. */
void ckpt_sha256_start(struct ckpt_sha256_state *state, int lane);

/* Bytes that are fetched into the cache for each block of all lanes. */
#define CKPT_SHA256_SOON ((size_t)CKPT_SHA256_LANES * CKPT_SHA256_BLOCK)

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
