/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See zstd.h. The walk reads the header of each frame and three bytes a block.
 */
#include "core/format/archive/zstd.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "core/base/bytes.h"
#include "core/format/archive/container.h"

#define MAGIC 0xfd2fb528u
#define BLOCK_MAX (128u * 1024)
/* 128 MiB: more than that the zstd program itself decodes on request only. */
#define WINDOW_LOG 27

enum { RAW, RLE, COMPRESSED, RESERVED }; /* kinds of blocks */

static bool starts(const uint8_t *head, size_t n)
{
	uint32_t v = n >= 4 ? (uint32_t)ckpt_bytes_le(head, 4) : 0;

	return v == MAGIC || ckpt_container_is_skippable(v);
}

static void *open_state(void)
{
	ZSTD_DCtx *d = ZSTD_createDCtx();

	if (d)
		ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, WINDOW_LOG);
	return d;
}

static void close_state(void *state)
{
	ZSTD_freeDCtx(state);
}

static int begin(void *state)
{
	ZSTD_DCtx_reset(state, ZSTD_reset_session_only);
	return 0;
}

static int fault(size_t code)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
	case ZSTD_error_frameParameter_unsupported:
	case ZSTD_error_dictionary_wrong:
		return CKPT_DECODE_CANNOT;
	default:
		return CKPT_DECODE_BAD;
	}
}

static int step(void *state, struct ckpt_codec_io *io)
{
	ZSTD_inBuffer in = { .src = io->in, .size = io->n_in };
	ZSTD_outBuffer out = { .dst = io->out, .size = io->n_out };
	size_t r = ZSTD_decompressStream(state, &out, &in);

	io->in += in.pos;
	io->n_in -= in.pos;
	io->out += out.pos;
	io->n_out -= out.pos;
	if (ZSTD_isError(r))
		return fault(r);
	return r == 0 ? CKPT_DECODE_END : 0;
}

const struct ckpt_codec ckpt_zstd_codec = {
	.name = "zstd",
	.limits = "a window of more than 128 MiB, a dictionary or a newer decoder",
	.ratio = 2000, /* it decodes some 2 GB/s where much comes out of little */
	.starts = starts,
	.open = open_state,
	.close = close_state,
	.begin = begin,
	.step = step,
};

/* The walk over frames and blocks. */
struct walk {
	struct ckpt_check *check;
	uint64_t at, frames;
	bool unsummed; /* a frame with data and without a checksum */
};

/* Moves on by @len, which must lie in the file. */
static int skip(struct walk *w, uint64_t len, const char *what)
{
	return ckpt_container_skip(w->check, &w->at, len, what);
}

/* Reads @n bytes and moves on. */
static int take(struct walk *w, void *buf, size_t n, const char *what)
{
	return ckpt_container_take(w->check, &w->at, buf, n, what);
}

/* One block. *@ret_last: the frame's last. */
static int walk_block(struct walk *w, bool *ret_last)
{
	uint64_t at = w->at;
	uint8_t buf[3];
	uint32_t v, size, type;
	int r = take(w, buf, sizeof(buf), "a block");

	if (r)
		return r;
	v = (uint32_t)ckpt_bytes_le(buf, sizeof(buf));
	type = v >> 1 & 3;
	size = v >> 3;
	if (type == RESERVED || size > BLOCK_MAX)
		return ckpt_container_bad(w->check, at, "the block");
	*ret_last = v & 1;
	return skip(w, type == RLE ? 1 : size, "a block");
}

/* Bytes of the frame's header behind its first, the descriptor. */
static size_t header_size(uint8_t descriptor)
{
	static const uint8_t dictionary[] = { 0, 1, 2, 4 }, content[] = { 0, 2, 4, 8 };
	bool single = descriptor >> 5 & 1;
	size_t size = content[descriptor >> 6];

	return !single + dictionary[descriptor & 3] + (single && !size ? 1 : size);
}

static int walk_frame(struct walk *w)
{
	uint8_t descriptor;
	bool last = false;
	int r = take(w, &descriptor, 1, "a frame's header");

	if (r == 0 && descriptor & 8)
		return ckpt_container_bad(w->check, w->at - 1, "the frame");
	r = r ? r : skip(w, header_size(descriptor), "a frame's header");
	while (r == 0 && !last) {
		r = ckpt_ctx_expired(w->check->ctx);
		r = r ? r : walk_block(w, &last);
	}
	if (r)
		return r;
	w->frames++;
	if (descriptor & 4)
		return skip(w, 4, "the checksum of a frame");
	w->unsummed = true;
	return 0;
}

static int walk(struct walk *w)
{
	uint64_t at = 0;
	uint8_t buf[4];
	int r = 0;

	while (r == 0 && w->at < w->check->file->size) {
		at = w->at;
		r = take(w, buf, sizeof(buf), "a frame's header");
		if (r)
			break;
		if (!starts(buf, sizeof(buf)))
			return ckpt_container_trailing(w->check, ckpt_zstd_codec.name, at);
		r = ckpt_bytes_le(buf, 4) == MAGIC ? walk_frame(w)
						   : ckpt_container_skip_frame(w->check, &w->at);
	}
	if (r == 0 && w->frames == 0)
		return ckpt_container_cut(w->check, "the frames to skip before its data");
	return r;
}

static bool sniff(const struct ckpt_check *check)
{
	return starts(check->head.head, check->head.n_head);
}

static int structure(struct ckpt_check *check)
{
	struct walk w = { .check = check };

	return walk(&w);
}

static int content(struct ckpt_check *check)
{
	struct ckpt_container c = { .codec = &ckpt_zstd_codec, .proves = CKPT_EVIDENCE_CHECKSUM };
	struct walk w = { .check = check };
	int r = walk(&w);

	if (r)
		return r;
	if (w.unsummed) {
		c.proves = CKPT_EVIDENCE_STRUCTURE;
		c.note = "zstd was told to store no checksum";
	}
	return ckpt_container_content(check, &c);
}

const struct ckpt_format ckpt_format_zstd = {
	.name = "zstd",
	.title = "Zstandard",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
