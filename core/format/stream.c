/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sequential reading with a CRC on the way. Unless the caller says so nothing is skipped by
 * seeking: the CRC needs every byte.
 */
#include "core/format/stream.h"

#include <string.h>

#include "core/base/crc.h"
#include "core/base/pages.h"
#include "wire/text.h"

#define BUFFER 65536u

int ckpt_stream_init(struct ckpt_stream *in, const struct ckpt_file *file, uint64_t off,
		     uint64_t end, struct ckpt_error *err)
{
	uint8_t *buf = aligned_alloc(CKPT_PAGES_ALIGN, BUFFER);

	if (!buf)
		return ckpt_fail(err, -ENOMEM, "no memory to read %s", CKPT_QUOTE(file->name));
	*in = (struct ckpt_stream) { .file = file, .next = off, .end = end, .buf = buf };
	return 0;
}

void ckpt_stream_done(struct ckpt_stream *in)
{
	free(in->buf);
	in->buf = NULL;
}

/* Reads the next buffer full. 0, CKPT_STREAM_END (the file shrank counts as one) or an errno. */
static int fill(struct ckpt_stream *in, struct ckpt_error *err)
{
	uint64_t left = in->end - in->next;
	uint32_t room = (uint32_t)ckpt_pages_room(in->file, in->next, BUFFER);
	uint32_t len = left < room ? (uint32_t)left : room;
	int r;

	if (len == 0)
		return CKPT_STREAM_END;
	r = ckpt_file_read(in->file, in->next, in->buf, len, err);
	if (r)
		return r == CKPT_FILE_SHORT ? CKPT_STREAM_END : r;
	in->crc = ckpt_crc(CKPT_CRC32, in->crc, in->buf, len);
	in->next += len;
	in->at = 0;
	in->len = len;
	return 0;
}

int ckpt_stream_take_on(struct ckpt_stream *in, void *dst, uint64_t len, struct ckpt_error *err)
{
	uint8_t *out = dst;

	if (len > in->end - ckpt_stream_offset(in))
		return CKPT_STREAM_END;
	while (len > 0) {
		uint64_t n = in->len - in->at;

		if (n == 0 && in->skips && !out) {
			in->next += len; /* no more than there are, see above */
			return 0;
		}
		if (n == 0) {
			int r = fill(in, err);

			if (r)
				return r;
			continue;
		}
		n = n < len ? n : len;
		if (out) {
			memcpy(out, in->buf + in->at, n);
			out += n;
		}
		in->at += n;
		len -= n;
	}
	return 0;
}

uint64_t ckpt_stream_offset(const struct ckpt_stream *in)
{
	return in->next - (in->len - in->at);
}

int ckpt_stream_drain(struct ckpt_stream *in, struct ckpt_error *err)
{
	int r;

	do {
		in->at = in->len;
		r = fill(in, err);
	} while (r == 0);
	return r < 0 ? r : 0;
}
