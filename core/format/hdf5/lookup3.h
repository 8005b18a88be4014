/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bob Jenkins' lookup3 hash (public domain) as HDF5 uses it for its metadata: little-endian,
 * initial value 0, fed piece by piece.
 */
#ifndef CKPT_CORE_FORMAT_HDF5_LOOKUP3_H
#define CKPT_CORE_FORMAT_HDF5_LOOKUP3_H

#include <stddef.h>
#include <stdint.h>

struct ckpt_lookup3 {
	uint32_t a, b, c;
	uint32_t n; /* bytes held in buf */
	uint8_t buf[12];
};

/* Begins a hash over exactly @total bytes. */
void ckpt_lookup3_init(struct ckpt_lookup3 *s, uint64_t total);

/* The next @len bytes. */
void ckpt_lookup3_add(struct ckpt_lookup3 *s, const void *buf, size_t len);

/* The hash, once all bytes were added. */
uint32_t ckpt_lookup3_end(struct ckpt_lookup3 *s);

#endif
