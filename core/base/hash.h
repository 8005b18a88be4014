/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FNV-1a of 64 bits: tells names apart in tables and in names of files. Whoever can choose the
 * bytes can make two of them meet: nothing but time and balance may rest on it.
 */
#ifndef CKPT_CORE_BASE_HASH_H
#define CKPT_CORE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define CKPT_HASH_START UINT64_C(0xcbf29ce484222325)

/* @hash of what came before (CKPT_HASH_START: nothing), with the @len bytes at @data behind it. */
static inline uint64_t ckpt_hash(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
