/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC-32 (zip, gzip) and CRC-32C (TensorFlow, OCDBT) by ISA-L, and their verification over many
 * ranges of one file with all threads of the context in constant memory.
 */
#ifndef CKPT_CORE_BASE_CRC_H
#define CKPT_CORE_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"

enum ckpt_crc_kind { CKPT_CRC32, CKPT_CRC32C };

/* Continues @crc (0 at the start) over @len bytes. */
uint32_t ckpt_crc(enum ckpt_crc_kind kind, uint32_t crc, const void *buf, size_t len);

/* CRC of A followed by B from their CRCs and B's length. */
uint32_t ckpt_crc_combine(enum ckpt_crc_kind kind, uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

/* A range of the file and the CRC it must have. @tag is the caller's (an entry's number). */
struct ckpt_crc_range {
	uint64_t off, len;
	uint32_t expected;
	uint64_t tag;
	uint32_t *ret_crc; /* gets the CRC instead of a comparison; NULL in all but pieces */
};

/* Hands out the next range: 1 with *@ret filled, 0 at the end, < 0 errno. Called under a lock, in
 * order. */
typedef int ckpt_crc_next_fn(void *arg, struct ckpt_crc_range *ret);

struct ckpt_crc_job {
	enum ckpt_crc_kind kind;
	ckpt_crc_next_fn *next;
	void *arg;
	uint64_t total; /* bytes, for the progress callback; 0 = unknown */
};

enum ckpt_crc_result {
	CKPT_CRC_MISMATCH = 1, /* *ret_bad is the first such range by offset among those read */
	CKPT_CRC_SHORT,	       /* *ret_bad reaches beyond the file */
};

/*
 * Verifies all ranges of @file, or those of its context's share. Threads split large ranges into
 * pieces; memory is 260 KiB a thread and what bulk.h takes. 0, ckpt_crc_result, or an errno
 * (-ETIMEDOUT, -EDQUOT, -EIO ...). Where the context defers, 0 may also mean that the ranges wait
 * to be read.
 */
int ckpt_crc_verify(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		    struct ckpt_crc_range *ret_bad, struct ckpt_error *err);

#endif
