/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 (FIPS 180-4) in plain C, for texts of a few KiB: a record's digest of itself. A fifth of
 * libcrypto's speed, but there at once, while loading that takes 2 ms of a process that lives for
 * four.
 */
#ifndef CKPT_CORE_BASE_SHA256_PLAIN_H
#define CKPT_CORE_BASE_SHA256_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#define CKPT_SHA256_PLAIN_SIZE 32

/* Up to this many bytes it is the faster way, where libcrypto has not been loaded yet. */
#define CKPT_SHA256_PLAIN_MAX ((size_t)64 * 1024)

/* The constants of the 64 rounds. */
extern const uint32_t ckpt_sha256_k[64];

/* The state in which each message begins. */
extern const uint32_t ckpt_sha256_initial[8];

/* The digest of @len bytes at @data (which may be NULL with 0 of them). Cannot fail. */
void ckpt_sha256_plain(const void *data, size_t len, uint8_t ret[CKPT_SHA256_PLAIN_SIZE]);

#endif
