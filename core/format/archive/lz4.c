/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lz4.h. The walk has liblz4 read the header of each frame (and check its checksum), then steps
 * over the blocks by their sizes.
 */
#include "core/format/archive/lz4.h"

#include <errno.h>
#include <lz4frame.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/archive/container.h"
#include "wire/text.h"

#define MAGIC 0x184d2204u
#define LEGACY 0x184c2102u
#define STORED 0x80000000u	  /* in a block's size: not compressed */
#define LEGACY_BLOCK_MAX 8421519u /* what 8 MiB can become: 8 MiB + 8 MiB / 255 + 16 */

static bool starts(const uint8_t *head, size_t n)
{
	uint32_t v = n >= 4 ? (uint32_t)ckpt_bytes_le(head, 4) : 0;

	return v == MAGIC || ckpt_container_is_skippable(v);
}

static void *open_state(void)
{
	LZ4F_dctx *d = NULL;

	return LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)) ? NULL : d;
}

static void close_state(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

static int begin(void *state)
{
	LZ4F_resetDecompressionContext(state);
	return 0;
}

static int step(void *state, struct ckpt_codec_io *io)
{
	size_t n_in = io->n_in, n_out = io->n_out;
	size_t r = LZ4F_decompress(state, io->out, &n_out, io->in, &n_in, NULL);

	if (LZ4F_isError(r))
		return strstr(LZ4F_getErrorName(r), "allocation") ? -ENOMEM : CKPT_DECODE_BAD;
	io->in += n_in;
	io->n_in -= n_in;
	io->out += n_out;
	io->n_out -= n_out;
	return r == 0 ? CKPT_DECODE_END : 0;
}

static const struct ckpt_codec codec = {
	.name = "lz4",
	.limits = "a dictionary",
	.ratio = 260, /* lz4 itself ends at 255 */
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
	bool unsummed;	 /* a frame with neither kind of checksum */
	bool legacy;	 /* a frame of the first lz4 */
	bool dictionary; /* a frame that cannot be decoded without one */
};

/* Moves on by @len, which must lie in the file. */
static int skip(struct walk *w, uint64_t len, const char *what)
{
	return ckpt_container_skip(w->check, &w->at, len, what);
}

/* Reads the next four bytes. */
static int take(struct walk *w, uint32_t *ret, const char *what)
{
	uint8_t buf[4];
	int r = ckpt_container_take(w->check, &w->at, buf, sizeof(buf), what);

	*ret = r ? 0 : (uint32_t)ckpt_bytes_le(buf, sizeof(buf));
	return r;
}

/* The header of the frame at w->at. */
static int read_info(struct walk *w, LZ4F_frameInfo_t *ret)
{
	uint64_t left = w->check->file->size - w->at;
	uint8_t buf[LZ4F_HEADER_SIZE_MAX];
	size_t n = left < sizeof(buf) ? (size_t)left : sizeof(buf), r;
	LZ4F_dctx *d = open_state();
	int e = ckpt_check_read(w->check, w->at, buf, n, "a frame's header");

	if (e || !d) {
		close_state(d);
		return e ? e
			 : ckpt_fail(w->check->err, -ENOMEM, "no memory to read %s",
				     CKPT_QUOTE(w->check->file->name));
	}
	if (n < LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH || LZ4F_isError(LZ4F_headerSize(buf, n)) ||
	    LZ4F_headerSize(buf, n) > n) {
		close_state(d);
		return ckpt_container_cut(w->check, "a frame's header");
	}
	r = LZ4F_getFrameInfo(d, ret, buf, &n);
	close_state(d);
	if (LZ4F_isError(r))
		return ckpt_container_bad(w->check, w->at, "the frame");
	w->at += n;
	return 0;
}

static uint32_t block_max(const LZ4F_frameInfo_t *info)
{
	switch (info->blockSizeID) {
	case LZ4F_max64KB:
		return 64u << 10;
	case LZ4F_max256KB:
		return 256u << 10;
	case LZ4F_max1MB:
		return 1u << 20;
	default:
		return 4u << 20;
	}
}

static int walk_blocks(struct walk *w, const LZ4F_frameInfo_t *info)
{
	uint32_t size = 1;
	int r = 0;

	while (r == 0 && size) {
		r = ckpt_ctx_expired(w->check->ctx);
		r = r ? r : take(w, &size, "a block");
		size &= ~STORED;
		if (r == 0 && size > block_max(info))
			return ckpt_container_bad(w->check, w->at - 4, "the block");
		if (r == 0 && size)
			r = skip(w, size + (info->blockChecksumFlag ? 4 : 0), "a block");
	}
	return r;
}

static int walk_frame(struct walk *w)
{
	LZ4F_frameInfo_t info = { 0 };
	int r = read_info(w, &info);

	r = r ? r : walk_blocks(w, &info);
	if (r == 0 && info.contentChecksumFlag)
		r = skip(w, 4, "the checksum of a frame");
	w->frames++;
	w->unsummed |= !info.contentChecksumFlag && !info.blockChecksumFlag;
	w->dictionary |= info.dictID != 0;
	return r;
}

/* Blocks up to the file's end or the next frame: nothing else ends a legacy frame. */
static int walk_legacy(struct walk *w)
{
	uint64_t at;
	uint32_t size = 0;
	int r = skip(w, 4, "a frame's header");

	w->frames++;
	w->legacy = true;
	while (r == 0 && w->at < w->check->file->size) {
		at = w->at;
		r = ckpt_ctx_expired(w->check->ctx);
		r = r ? r : take(w, &size, "a block");
		if (r == 0 &&
		    (size == MAGIC || size == LEGACY || ckpt_container_is_skippable(size))) {
			w->at = at;
			return 0;
		}
		if (r == 0 && (size == 0 || size > LEGACY_BLOCK_MAX))
			return ckpt_container_bad(w->check, at, "the block");
		r = r ? r : skip(w, size, "a block");
	}
	return r;
}

static int walk_next(struct walk *w)
{
	uint64_t at = w->at;
	uint32_t magic = 0;
	int r = take(w, &magic, "a frame's header");

	if (r)
		return r;
	if (ckpt_container_is_skippable(magic))
		return ckpt_container_skip_frame(w->check, &w->at);
	w->at = at;
	if (magic == LEGACY)
		return walk_legacy(w);
	if (magic == MAGIC)
		return walk_frame(w);
	return ckpt_container_trailing(w->check, codec.name, at);
}

static int walk(struct walk *w)
{
	int r = 0;

	while (r == 0 && w->at < w->check->file->size)
		r = walk_next(w);
	if (r == 0 && w->frames == 0)
		return ckpt_container_cut(w->check, "the frames to skip before its data");
	return r;
}

/* Frames to skip alone are taken for zstd's, which has the same. */
static bool sniff(const struct ckpt_check *check)
{
	uint32_t v = check->head.n_head >= 4 ? (uint32_t)ckpt_bytes_le(check->head.head, 4) : 0;

	return v == MAGIC || v == LEGACY;
}

static int structure(struct ckpt_check *check)
{
	struct walk w = { .check = check };

	return walk(&w);
}

static int content(struct ckpt_check *check)
{
	struct ckpt_container c = { .codec = &codec, .proves = CKPT_EVIDENCE_CHECKSUM };
	struct walk w = { .check = check };
	int r = walk(&w);

	if (r)
		return r;
	if (w.legacy || w.dictionary) {
		ckpt_check_cap(check, CKPT_EVIDENCE_STRUCTURE, "%s: not unpacked",
			       w.legacy ? "legacy lz4 frames have neither end mark nor checksum"
					: "packed with a dictionary");
		return 0;
	}
	if (w.unsummed) {
		c.proves = CKPT_EVIDENCE_STRUCTURE;
		c.note = "lz4 was told to store no checksum";
	}
	return ckpt_container_content(check, &c);
}

const struct ckpt_format ckpt_format_lz4 = {
	.name = "lz4",
	.title = "LZ4",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
