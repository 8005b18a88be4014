/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A range of a file read once from front to back through a fixed buffer, with the CRC-32 of all
 * that passed.
 */
#ifndef CKPT_CORE_FORMAT_STREAM_H
#define CKPT_CORE_FORMAT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/file.h"

#define CKPT_STREAM_END 1 /* fewer bytes are left than were asked for */

struct ckpt_stream {
	const struct ckpt_file *file; /* borrowed */
	uint64_t next, end;	      /* what is not yet in the buffer */
	uint32_t crc;		      /* of all bytes that were read into the buffer */
	uint32_t at, len;	      /* of the buffer */
	bool skips; /* set by the caller: what is skipped is not read either, nor in the CRC */
	uint8_t *buf;
};

/* Prepares to read [@off, @end) of @file; reads nothing. 0 or -ENOMEM. */
int ckpt_stream_init(struct ckpt_stream *in, const struct ckpt_file *file, uint64_t off,
		     uint64_t end, struct ckpt_error *err);

/* Frees the buffer. A zeroed stream is fine. */
void ckpt_stream_done(struct ckpt_stream *in);
#define _cleanup_stream_ _cleanup_(ckpt_stream_done)

/* ckpt_stream_take() of what is not all in the buffer. */
int ckpt_stream_take_on(struct ckpt_stream *in, void *dst, uint64_t len, struct ckpt_error *err);

/* The next @len bytes to @dst, or skipped if it is NULL. 0; CKPT_STREAM_END; or an errno. */
static inline int ckpt_stream_take(struct ckpt_stream *in, void *dst, uint64_t len,
				   struct ckpt_error *err)
{
	if (len > in->len - in->at)
		return ckpt_stream_take_on(in, dst, len, err);
	if (dst && len)
		memcpy(dst, in->buf + in->at, len);
	in->at += (uint32_t)len;
	return 0;
}

/* The next byte, as above. */
static inline int ckpt_stream_byte(struct ckpt_stream *in, uint8_t *ret, struct ckpt_error *err)
{
	if (in->at == in->len)
		return ckpt_stream_take(in, ret, 1, err);
	*ret = in->buf[in->at++];
	return 0;
}

/* Offset in the file of the next byte. */
uint64_t ckpt_stream_offset(const struct ckpt_stream *in);

/* Reads to the end, for the CRC of the whole range. 0 or an errno. */
int ckpt_stream_drain(struct ckpt_stream *in, struct ckpt_error *err);

#endif
