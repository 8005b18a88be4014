/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See bzip2.h. Blocks begin at any bit and say nothing of their length: without decoding only the
 * header and the mark of the stream's end can be looked at.
 */
#include "core/format/archive/bzip2.h"

#include <bzlib.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/archive/container.h"

#define SMALLEST 14 /* of a stream that holds nothing */
#define MARK_BITS 48
#define SUM_BITS 32
#define END_MARK UINT64_C(0x177245385090)

/* "BZh", the size of its blocks, then the mark of a block or of the stream's end. */
static bool starts(const uint8_t *head, size_t n)
{
	return n >= 4 && memcmp(head, "BZh", 3) == 0 && head[3] >= '1' && head[3] <= '9';
}

static void *open_state(void)
{
	return calloc(1, sizeof(bz_stream));
}

static void close_state(void *state)
{
	if (state)
		BZ2_bzDecompressEnd(state);
	free(state);
}

static int begin(void *state)
{
	bz_stream *s = state;

	BZ2_bzDecompressEnd(s); /* of the stream before; refused where there was none */
	memset(s, 0, sizeof(*s));
	return BZ2_bzDecompressInit(s, 0, 0) == BZ_OK ? 0 : -ENOMEM;
}

static int step(void *state, struct ckpt_codec_io *io)
{
	bz_stream *s = state;
	int r;

	s->next_in = (char *)io->in; /* only read */
	s->avail_in = (unsigned)io->n_in;
	s->next_out = (char *)io->out;
	s->avail_out = (unsigned)io->n_out;
	r = BZ2_bzDecompress(s);
	io->in = (const uint8_t *)s->next_in;
	io->n_in = s->avail_in;
	io->out = (uint8_t *)s->next_out;
	io->n_out = s->avail_out;
	if (r == BZ_STREAM_END)
		return CKPT_DECODE_END;
	if (r == BZ_MEM_ERROR)
		return -ENOMEM;
	return r == BZ_OK ? 0 : CKPT_DECODE_BAD;
}

static const struct ckpt_codec codec = {
	.name = "bzip2",
	.limits = "another decoder",
	.ratio = 100, /* it decodes some 100 MB/s where much comes out of little */
	.pad = 1,
	.starts = starts,
	.open = open_state,
	.close = close_state,
	.begin = begin,
	.step = step,
};

static bool sniff(const struct ckpt_check *check)
{
	static const uint8_t block[] = { 0x31, 0x41, 0x59, 0x26, 0x53, 0x59 },
			     end[] = { 0x17, 0x72, 0x45, 0x38, 0x50, 0x90 };
	const struct ckpt_head *head = &check->head;

	if (!starts(head->head, head->n_head))
		return false;
	return head->n_head < SMALLEST || memcmp(head->head + 4, block, sizeof(block)) == 0 ||
	       memcmp(head->head + 4, end, sizeof(end)) == 0;
}

/* Bit number @at of @p, the highest of each byte first. */
static unsigned bit_of(const uint8_t *p, size_t at)
{
	return p[at / 8] >> (7 - at % 8) & 1;
}

static bool mark_at(const uint8_t *p, size_t at)
{
	uint64_t found = 0;

	for (size_t i = 0; i < MARK_BITS; i++)
		found = found << 1 | bit_of(p, at + i);
	return found == END_MARK;
}

/*
 * A stream ends in a mark, a checksum and up to seven bits of zeros; zeros may follow. False where
 * there is no such end, unless so many zeros follow that it may lie before the bytes at hand.
 */
static bool ends_well(const struct ckpt_head *head)
{
	const size_t bits = 8 * (size_t)head->n_tail;
	size_t last = bits; /* behind the last bit that is set */

	while (last > 0 && !bit_of(head->tail, last - 1))
		last--;
	if (last < MARK_BITS + SUM_BITS)
		return true;
	for (size_t at = last - MARK_BITS - SUM_BITS;
	     at + MARK_BITS + SUM_BITS <= bits && at < last; at++)
		if (mark_at(head->tail, at))
			return true;
	return false;
}

static int structure(struct ckpt_check *check)
{
	if (check->head.size < SMALLEST)
		return ckpt_container_cut(check, "its header");
	if (check->level < CKPT_LEVEL_FULL && !ends_well(&check->head))
		return ckpt_container_end(check, "bzip2");
	ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "bzip2 tells nothing until all is unpacked");
	return 0;
}

static int content(struct ckpt_check *check)
{
	const struct ckpt_container c = { .codec = &codec, .proves = CKPT_EVIDENCE_CHECKSUM };

	return ckpt_container_content(check, &c);
}

const struct ckpt_format ckpt_format_bzip2 = {
	.name = "bzip2",
	.title = "bzip2",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
