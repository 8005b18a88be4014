/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engines of SHA-256 share: sizes, and which of them this CPU has.
 */
#ifndef CKPT_CORE_BASE_SHA256_CPU_H
#define CKPT_CORE_BASE_SHA256_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CKPT_SHA256_BLOCK 64
#define CKPT_SHA256_LANES 16

/* Bytes that are fetched into the cache for each block of all lanes. */
#define CKPT_SHA256_SOON ((size_t)CKPT_SHA256_LANES * CKPT_SHA256_BLOCK)

struct ckpt_sha256_cpu {
	bool wide; /* AVX-512, and the kernel keeps its registers */
	bool quad; /* SHA-NI and AVX */
	bool amd;  /* AuthenticAMD */
};

/* What this CPU has; nothing where it is not an x86. */
struct ckpt_sha256_cpu ckpt_sha256_cpu(void);

/* Has a line of the cache fetched; nothing happens where there is no page. Not _mm_prefetch(): gcc
 * 12 takes a function of that alone for one without effect, and drops it. */
static inline void ckpt_sha256_fetch(const uint8_t *line)
{
#ifdef __x86_64__
	__asm__ volatile("prefetcht1 %0" : : "m"(*line));
#else
	(void)line;
#endif
}

#endif
