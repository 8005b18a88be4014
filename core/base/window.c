/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See window.h.
 */
#include "core/base/window.h"

#include <errno.h>
#include <string.h>

void ckpt_window_range(struct ckpt_window *in, uint64_t off, uint64_t len)
{
	in->at = off;
	in->end = off + len;
}

int ckpt_window_skip(struct ckpt_window *in, uint64_t len)
{
	if (len > in->end - in->at)
		return CKPT_WINDOW_SHORT;
	in->at += len;
	return 0;
}

/* Makes the window begin at the next byte. 0 or an errno. */
static int fill(struct ckpt_window *in)
{
	uint64_t left = in->file->size - in->at;
	uint32_t n = left < sizeof(in->buf) ? (uint32_t)left : sizeof(in->buf);
	int r;

	in->len = 0;
	r = ckpt_file_read(in->file, in->at, in->buf, n, in->err);
	if (r)
		return r < 0 ? r : -EAGAIN; /* it had that size when it was opened */
	in->off = in->at;
	in->len = n;
	return 0;
}

int ckpt_window_peek(struct ckpt_window *in, size_t len, const uint8_t **ret)
{
	int r = 0;

	if (len > in->end - in->at)
		return CKPT_WINDOW_SHORT;
	if (in->at < in->off || in->at - in->off + len > in->len)
		r = fill(in);
	if (r == 0)
		*ret = in->buf + (in->at - in->off);
	return r;
}

int ckpt_window_take(struct ckpt_window *in, void *dst, size_t len)
{
	uint8_t *out = dst;
	const uint8_t *p;
	int r;

	if (len > in->end - in->at)
		return CKPT_WINDOW_SHORT;
	while (len > 0) {
		size_t n = len < sizeof(in->buf) ? len : sizeof(in->buf);

		r = ckpt_window_peek(in, n, &p);
		if (r)
			return r;
		memcpy(out, p, n);
		in->at += n;
		out += n;
		len -= n;
	}
	return 0;
}
