/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See inflate.h.
 */
#include "core/format/inflate.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "core/base/pages.h"
#include "wire/text.h"

#define BUFFER 65536u

struct work {
	uint8_t in_buf[BUFFER], out_buf[BUFFER]; /* first: they lie on pages */
	struct inflate_state state;
	uint64_t next, left; /* of the range: not yet in the buffer */
	uint64_t out;
};

/* Whole pages, as aligned_alloc() wants them. */
#define WORK_PAGES                                                                                 \
	((sizeof(struct work) + CKPT_PAGES_ALIGN - 1) / CKPT_PAGES_ALIGN * CKPT_PAGES_ALIGN)

/* Refills the input once it is used up. 0, SHORT at the range's end, or an errno. */
static int fill(const struct ckpt_inflate_job *job, struct work *w, struct ckpt_error *err)
{
	uint32_t room = (uint32_t)ckpt_pages_room(job->file, w->next, BUFFER);
	uint32_t n = w->left < room ? (uint32_t)w->left : room;
	int r;

	if (w->state.avail_in > 0)
		return 0;
	if (n == 0)
		return CKPT_INFLATE_SHORT;
	r = ckpt_file_read(job->file, w->next, w->in_buf, n, err);
	if (r)
		return r == CKPT_FILE_SHORT ? CKPT_INFLATE_SHORT : r;
	w->next += n;
	w->left -= n;
	w->state.next_in = w->in_buf;
	w->state.avail_in = n;
	return 0;
}

/* Decodes until the output buffer is full or the input used up. 0 or a result. */
static int step(const struct ckpt_inflate_job *job, struct work *w)
{
	uint32_t n;

	w->state.next_out = w->out_buf;
	w->state.avail_out = BUFFER;
	if (isal_inflate(&w->state) != ISAL_DECOMP_OK)
		return CKPT_INFLATE_BAD;
	n = BUFFER - w->state.avail_out;
	if (n > job->max - w->out)
		return CKPT_INFLATE_LONG;
	w->out += n;
	if (job->sink && n)
		job->sink(job->arg, w->out_buf, n);
	return 0;
}

/* True once all is out. */
static bool finished(const struct work *w)
{
	return w->state.block_state == ISAL_BLOCK_FINISH;
}

int ckpt_inflate(const struct ckpt_inflate_job *job, uint64_t *ret_out, struct ckpt_error *err)
{
	_cleanup_free_ struct work *w = aligned_alloc(CKPT_PAGES_ALIGN, WORK_PAGES);
	int r = 0;

	if (!w)
		return ckpt_fail(err, -ENOMEM, "no memory to decompress parts of %s",
				 CKPT_QUOTE(job->file->name));
	w->next = job->off;
	w->left = job->len;
	w->out = 0;
	isal_inflate_init(&w->state);
	w->state.crc_flag = job->zlib ? ISAL_ZLIB : ISAL_DEFLATE;
	w->state.avail_in = 0;
	w->state.avail_out = BUFFER;
	while (!finished(w)) {
		/* a full output buffer means that more may come out without any input */
		if (w->state.avail_out > 0)
			r = fill(job, w, err);
		r = r ? r : step(job, w);
		if (r)
			return r;
	}
	if (w->left || w->state.avail_in)
		return CKPT_INFLATE_REST;
	*ret_out = w->out;
	return 0;
}
