/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256_plain.h. Names are those of FIPS 180-4, section 6.2.
 */
#include "core/base/sha256_plain.h"

#include <endian.h>
#include <string.h>

#include "core/base/sha256_blocks.h"

_Static_assert(CKPT_SHA256_PLAIN_SIZE == CKPT_SHA256_SIZE, "the same digests");

const uint32_t ckpt_sha256_initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

const uint32_t ckpt_sha256_k[64] = {
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

static inline uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

/* The message's words, of which each round takes one. */
static void schedule(const uint8_t *block, uint32_t w[64])
{
	for (int t = 0; t < 16; t++) {
		memcpy(&w[t], block + 4 * t, sizeof(w[t]));
		w[t] = be32toh(w[t]);
	}
	for (int t = 16; t < 64; t++) {
		uint32_t a = w[t - 15], b = w[t - 2];

		w[t] = (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10) + w[t - 7] +
		       (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[t - 16];
	}
}

static void take_block(uint32_t h[8], const uint8_t *block)
{
	uint32_t w[64], s[8];

	schedule(block, w);
	memcpy(s, h, sizeof(s));
	for (int t = 0; t < 64; t++) {
		uint32_t a = s[0], e = s[4];
		uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
			      ((e & s[5]) ^ (~e & s[6])) + ckpt_sha256_k[t] + w[t];
		uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
			      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		memmove(s + 1, s, 7 * sizeof(s[0]));
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

void ckpt_sha256_plain(const void *data, size_t len, uint8_t ret[CKPT_SHA256_PLAIN_SIZE])
{
	size_t left = len % CKPT_SHA256_BLOCK, whole = len - left, blocks;
	uint8_t end[CKPT_SHA256_END] = { 0 };
	const uint8_t *at = data;
	uint32_t h[8];

	memcpy(h, ckpt_sha256_initial, sizeof(h));
	for (; whole > 0; whole -= CKPT_SHA256_BLOCK, at += CKPT_SHA256_BLOCK)
		take_block(h, at);
	if (left)
		memcpy(end, at, left);
	blocks = ckpt_sha256_pad(end, len);
	for (size_t i = 0; i < blocks; i++)
		take_block(h, end + i * CKPT_SHA256_BLOCK);
	for (int i = 0; i < 8; i++) {
		uint32_t word = htobe32(h[i]);

		memcpy(ret + 4 * i, &word, sizeof(word));
	}
}
