/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deflated ranges of a file, decoded by ISA-L through fixed buffers: what comes out is handed on
 * piece by piece and never kept, so that a bomb costs time up to its declared size and no memory.
 */
#ifndef CKPT_CORE_FORMAT_INFLATE_H
#define CKPT_CORE_FORMAT_INFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"

enum ckpt_inflate_result {
	CKPT_INFLATE_SHORT = 1, /* the range ends inside the stream */
	CKPT_INFLATE_BAD,	/* no deflate stream, or its own checksum is wrong */
	CKPT_INFLATE_LONG,	/* more comes out than job.max */
	/* the stream ends before the range does (a few bytes more are not always told) */
	CKPT_INFLATE_REST,
};

struct ckpt_inflate_job {
	const struct ckpt_file *file; /* borrowed */
	uint64_t off, len;
	bool zlib;    /* with zlib's header and Adler-32; else bare */
	uint64_t max; /* bytes that may come out */
	void (*sink)(void *arg, const uint8_t *buf, size_t len); /* may be NULL */
	void *arg;
};

/* Decodes the range. 0 with the bytes that came out in *@ret_out; ckpt_inflate_result; or an errno.
 */
int ckpt_inflate(const struct ckpt_inflate_job *job, uint64_t *ret_out, struct ckpt_error *err);

#endif
