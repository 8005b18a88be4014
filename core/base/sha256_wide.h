/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256's compression function for 16 streams side by side: AVX-512, a word of each stream in a
 * register's lanes.
 */
#ifndef CKPT_CORE_BASE_SHA256_WIDE_H
#define CKPT_CORE_BASE_SHA256_WIDE_H

#include "core/base/sha256_cpu.h"

/*
 * Takes @n blocks (one at least) in at each @data[lane], into @h32 (word by word, lane by lane; 64
 * bytes aligned). @soon: as of ckpt_sha256_blocks(). Only where ckpt_sha256_cpu() says wide.
 */
void ckpt_sha256_wide(uint32_t h32[8][CKPT_SHA256_LANES],
		      const uint8_t *const data[CKPT_SHA256_LANES], size_t n, const uint8_t *soon);

#endif
