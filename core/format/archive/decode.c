/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See decode.h. The driver reads the file, tells frames apart and finds out what the end means; a
 * codec sees only bytes.
 */
#include "core/format/archive/decode.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/pages.h"
#include "wire/text.h"

#define BUFFER ((size_t)128 * 1024)

int ckpt_decoder_init(struct ckpt_decoder *d, const struct ckpt_codec *codec,
		      const struct ckpt_file *file, struct ckpt_error *err)
{
	*d = (struct ckpt_decoder) { .codec = codec, .file = file };
	d->buf = aligned_alloc(CKPT_PAGES_ALIGN, BUFFER);
	d->state = codec->open();
	if (!d->buf || !d->state)
		return ckpt_fail(err, -ENOMEM, "no memory to unpack %s", CKPT_QUOTE(file->name));
	ckpt_decoder_rewind(d);
	return 0;
}

void ckpt_decoder_done(struct ckpt_decoder *d)
{
	if (d->codec)
		d->codec->close(d->state);
	free(d->buf);
	*d = (struct ckpt_decoder) { 0 };
}

void ckpt_decoder_rewind(struct ckpt_decoder *d)
{
	d->at = d->len = 0;
	d->next = d->frames = 0;
	d->pad_at = UINT64_MAX;
	d->in_frame = false;
}

uint64_t ckpt_decoder_offset(const struct ckpt_decoder *d)
{
	return d->next - (d->len - d->at);
}

/* Sees to it that @want bytes are in the buffer, or all that the file still has. 0 or an errno. */
static int look(struct ckpt_decoder *d, size_t want, struct ckpt_error *err)
{
	uint64_t left = d->file->size - d->next;
	size_t room, n;
	int r;

	if (d->len - d->at >= want || left == 0)
		return 0;
	memmove(d->buf, d->buf + d->at, d->len - d->at);
	d->len -= d->at;
	d->at = 0;
	room = BUFFER - d->len;
	n = left < room ? (size_t)left : room;
	r = ckpt_file_read(d->file, d->next, d->buf + d->len, n, err);
	if (r)
		return r == CKPT_FILE_SHORT ? -EAGAIN : r; /* it had that size when it was opened */
	d->next += n;
	d->len += n;
	return 0;
}

/* Steps over zeros between and behind frames. 0 or an errno. */
static int skip_padding(struct ckpt_decoder *d, struct ckpt_error *err)
{
	uint32_t pad = d->frames ? d->codec->pad : 0;

	d->pad_at = ckpt_decoder_offset(d);
	while (pad) {
		int r = look(d, pad, err);

		if (r)
			return r;
		if (d->len - d->at < pad || !ckpt_bytes_zero(d->buf + d->at, pad))
			return 0;
		d->at += pad;
	}
	return 0;
}

/* Begins the next frame. 0; END of the file, TRAILING, BAD where the first begins wrong; ... */
static int next_frame(struct ckpt_decoder *d, struct ckpt_error *err)
{
	int r = skip_padding(d, err);

	r = r ? r : look(d, CKPT_CODEC_LOOK, err);
	if (r)
		return r;
	if (d->at == d->len)
		return d->frames ? CKPT_DECODE_END : CKPT_DECODE_SHORT;
	if (!d->codec->starts(d->buf + d->at, d->len - d->at))
		return d->frames ? CKPT_DECODE_TRAILING : CKPT_DECODE_BAD;
	d->frames++;
	d->in_frame = true;
	return d->codec->begin(d->state);
}

/* One step of the codec. 0 with what came out; SHORT; or what the step said. */
static int step(struct ckpt_decoder *d, struct ckpt_codec_io *io, struct ckpt_error *err)
{
	size_t left, n_out = io->n_out;
	int r = look(d, 1, err);

	if (r)
		return r;
	left = d->len - d->at;
	io->in = d->buf + d->at;
	io->n_in = left;
	r = d->codec->step(d->state, io);
	d->at = d->len - io->n_in;
	if (r == CKPT_DECODE_END) {
		d->in_frame = false;
		return 0;
	}
	if (r == 0 && io->n_in == left && io->n_out == n_out)
		return left ? CKPT_DECODE_BAD : CKPT_DECODE_SHORT;
	return r;
}

int ckpt_decoder_pull(struct ckpt_decoder *d, uint8_t *buf, size_t len, size_t *ret,
		      struct ckpt_error *err)
{
	struct ckpt_codec_io io = { .out = buf, .n_out = len };
	int r = 0;

	while (r == 0 && io.n_out == len) {
		r = d->in_frame ? 0 : next_frame(d, err);
		r = r ? r : step(d, &io, err);
	}
	if (r == -ENOMEM)
		return ckpt_fail(err, r, "no memory to unpack %s", CKPT_QUOTE(d->file->name));
	*ret = len - io.n_out;
	return r;
}
