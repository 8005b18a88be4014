/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See gzip.h. Nothing says where a member ends but its data: without decoding only the header can
 * be looked at, and whether the length at the end can be one.
 */
#include "core/format/archive/gzip.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/format/archive/container.h"

#define HEADER_SIZE 10
#define SMALLEST 20 /* header, an empty deflate block, CRC-32 and length */
#define DEFLATE 8
#define RESERVED 0xe0 /* flags that must be 0 */
#define RATIO 1032    /* deflate's limit: 258 bytes of two bits */

static bool starts(const uint8_t *head, size_t n)
{
	return n >= 2 && head[0] == 0x1f && head[1] == 0x8b;
}

static void *open_state(void)
{
	return calloc(1, sizeof(struct inflate_state));
}

static int begin(void *state)
{
	struct inflate_state *s = state;

	isal_inflate_init(s);
	s->crc_flag = ISAL_GZIP;
	return 0;
}

static int step(void *state, struct ckpt_codec_io *io)
{
	struct inflate_state *s = state;
	int r;

	s->next_in = (uint8_t *)io->in; /* only read */
	s->avail_in = (uint32_t)io->n_in;
	s->next_out = io->out;
	s->avail_out = (uint32_t)io->n_out;
	r = isal_inflate(s);
	io->in = s->next_in;
	io->n_in = s->avail_in;
	io->out = s->next_out;
	io->n_out = s->avail_out;
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT && r != ISAL_OUT_OVERFLOW)
		return CKPT_DECODE_BAD;
	return s->block_state == ISAL_BLOCK_FINISH ? CKPT_DECODE_END : 0;
}

const struct ckpt_codec ckpt_gzip_codec = {
	.name = "gzip",
	.limits = "a method other than deflate",
	.ratio = 1100, /* deflate itself ends at 1032 */
	.pad = 1,
	.starts = starts,
	.open = open_state,
	.close = free,
	.begin = begin,
	.step = step,
};

static bool sniff(const struct ckpt_check *check)
{
	return starts(check->head.head, check->head.n_head) && check->head.n_head > 2 &&
	       check->head.head[2] == DEFLATE;
}

/* The last four bytes are the length of what the last member unpacks to (RFC 1952), or padding. */
static bool promises_too_much(const struct ckpt_head *head)
{
	return ckpt_bytes_le(head->tail + head->n_tail - 4, 4) > head->size * RATIO;
}

static int structure(struct ckpt_check *check)
{
	const struct ckpt_head *head = &check->head;

	if (head->n_head < HEADER_SIZE || head->size < SMALLEST)
		return ckpt_container_cut(check, "its header");
	if (head->head[3] & RESERVED)
		return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, 3, NULL,
					 "its header has the unknown flags 0x%02x", head->head[3]);
	if (check->level < CKPT_LEVEL_FULL && promises_too_much(head))
		return ckpt_container_end(check, "gzip");
	ckpt_check_cap(check, CKPT_EVIDENCE_OPAQUE, "gzip tells nothing until all is unpacked");
	return 0;
}

static int content(struct ckpt_check *check)
{
	const struct ckpt_container c = { .codec = &ckpt_gzip_codec,
					  .proves = CKPT_EVIDENCE_CHECKSUM };

	return ckpt_container_content(check, &c);
}

const struct ckpt_format ckpt_format_gzip = {
	.name = "gzip",
	.title = "gzip",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
