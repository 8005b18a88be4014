/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256's compression function for four streams side by side: by SHA-NI, whose instruction for
 * two rounds takes four cycles, while a CPU can begin another in each.
 */
#ifndef CKPT_CORE_BASE_SHA256_QUAD_H
#define CKPT_CORE_BASE_SHA256_QUAD_H

#include "core/base/sha256_cpu.h"

#define CKPT_SHA256_QUAD_LANES 4

/*
 * Takes @n blocks in at each @data[i], into lane @first + i of @h32 (word by word, lane by lane).
 * Meanwhile @n * CKPT_SHA256_QUAD_LANES * CKPT_SHA256_BLOCK bytes from @soon on are fetched into
 * the CPU's cache, by instructions that cannot fault; NULL: none. Only where ckpt_sha256_cpu() says
 * quad.
 */
void ckpt_sha256_quad(uint32_t h32[8][CKPT_SHA256_LANES], int first,
		      const uint8_t *const data[CKPT_SHA256_QUAD_LANES], size_t n,
		      const uint8_t *soon);

#endif
