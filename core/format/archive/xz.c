/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See xz.h. The walk goes from the end: footer, index, header of each stream, with liblzma's own
 * readers of them (their CRC-32 are theirs to check); between them lie the blocks, whose sizes the
 * index holds.
 */
#include "core/format/archive/xz.h"

#include <errno.h>
#include <lzma.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/archive/container.h"
#include "wire/text.h"

#define EDGE LZMA_STREAM_HEADER_SIZE
/* xz -9 needs 65 MiB to decode. */
#define MEMORY_MAX ((uint64_t)128 * 1024 * 1024)
#define INDEX_MEMORY ((uint64_t)32 * 1024 * 1024) /* of a million blocks */
#define CHUNK 65536
#define PADDING_MAX 65536 /* zeros that are stepped over one word at a time */

static const uint8_t magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0 };

static bool starts(const uint8_t *head, size_t n)
{
	return n >= sizeof(magic) && memcmp(head, magic, sizeof(magic)) == 0;
}

static void *open_state(void)
{
	return calloc(1, sizeof(lzma_stream));
}

static void close_state(void *state)
{
	if (state)
		lzma_end(state);
	free(state);
}

static int begin(void *state)
{
	return lzma_stream_decoder(state, MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int result(lzma_ret r)
{
	switch (r) {
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress */
		return 0;
	case LZMA_STREAM_END:
		return CKPT_DECODE_END;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
	case LZMA_OPTIONS_ERROR:
		return CKPT_DECODE_CANNOT;
	default:
		return CKPT_DECODE_BAD;
	}
}

static int step(void *state, struct ckpt_codec_io *io)
{
	lzma_stream *s = state;
	lzma_ret r;

	s->next_in = io->in;
	s->avail_in = io->n_in;
	s->next_out = io->out;
	s->avail_out = io->n_out;
	r = lzma_code(s, LZMA_RUN);
	io->in = s->next_in;
	io->n_in = s->avail_in;
	io->out = s->next_out;
	io->n_out = s->avail_out;
	return result(r);
}

static const struct ckpt_codec codec = {
	.name = "xz",
	.limits = "more than 128 MiB of memory or a filter that is not known here",
	.ratio = 400, /* it decodes some 400 MB/s where much comes out of little */
	.pad = 4,
	.starts = starts,
	.open = open_state,
	.close = close_state,
	.begin = begin,
	.step = step,
};

/* The walk from the end. */
struct walk {
	struct ckpt_check *check;
	uint64_t end;		 /* of the stream before those already seen */
	lzma_stream_flags flags; /* of its footer */
	uint64_t streams;
	bool unchecked, unknown; /* a stream without a check; with one that is not known here */
};

static int bad(struct walk *w, uint64_t off, const char *what)
{
	return ckpt_check_reject(w->check, CKPT_CORRUPT, CKPT_PROBLEM_DIRECTORY, off, NULL,
				 "%s at byte %llu is damaged", what, (unsigned long long)off);
}

/* Steps back over padding between streams, and behind the last. 0 or an errno. */
static int skip_padding(struct walk *w)
{
	uint64_t most = w->end < PADDING_MAX ? w->end : PADDING_MAX, stop = w->end - most;
	uint8_t word[4];
	int r = 0;

	while (r == 0 && w->end >= stop + sizeof(word)) {
		r = ckpt_check_read(w->check, w->end - sizeof(word), word, sizeof(word), "its end");
		if (r || !ckpt_bytes_zero(word, sizeof(word)))
			break;
		w->end -= sizeof(word);
	}
	return r;
}

static int read_footer(struct walk *w)
{
	uint8_t buf[EDGE];
	int r;

	if (w->end < 2u * EDGE)
		return ckpt_container_cut(w->check, "its header");
	r = ckpt_check_read(w->check, w->end - EDGE, buf, EDGE, "its footer");
	if (r)
		return r;
	switch (lzma_stream_footer_decode(&w->flags, buf)) {
	case LZMA_OK:
		return 0;
	case LZMA_FORMAT_ERROR:
		return ckpt_container_cut(w->check, "the compressed data: no footer stands there");
	case LZMA_OPTIONS_ERROR:
		return ckpt_check_reject(w->check, CKPT_UNREADABLE, CKPT_PROBLEM_HEADER,
					 w->end - EDGE, NULL, "a newer kind of xz");
	default:
		return bad(w, w->end - EDGE, "the footer");
	}
}

/* Feeds the index that lies in [@at, @end) to @s. */
static int feed_index(struct walk *w, lzma_stream *s, uint64_t at, uint64_t end)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	uint64_t begin_at = at;
	lzma_ret r = LZMA_OK;

	if (!buf)
		return ckpt_fail(w->check->err, -ENOMEM, "no memory for the index of %s",
				 CKPT_QUOTE(w->check->file->name));
	while (r == LZMA_OK && at < end) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		int e = ckpt_check_read(w->check, at, buf, n, "its index");

		if (e)
			return e;
		s->next_in = buf;
		s->avail_in = n;
		r = lzma_code(s, LZMA_RUN);
		at += n;
	}
	if (r == LZMA_MEMLIMIT_ERROR || r == LZMA_MEM_ERROR)
		return ckpt_fail(w->check->err, -ENOMEM, "no memory for the index of %s",
				 CKPT_QUOTE(w->check->file->name));
	return r == LZMA_STREAM_END && s->avail_in == 0 && at == end
		       ? 0
		       : bad(w, begin_at, "the index");
}

/* The length of the stream by its index, in *@ret. */
static int read_index(struct walk *w, uint64_t *ret)
{
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_index *index = NULL;
	uint64_t end = w->end - EDGE;
	int r;

	if (w->flags.backward_size > end - EDGE)
		return bad(w, end, "the footer");
	if (lzma_index_decoder(&s, &index, INDEX_MEMORY) != LZMA_OK)
		return ckpt_fail(w->check->err, -ENOMEM, "no memory for the index of %s",
				 CKPT_QUOTE(w->check->file->name));
	r = feed_index(w, &s, end - w->flags.backward_size, end);
	if (r == 0) {
		*ret = lzma_index_stream_size(index);
		lzma_index_end(index, NULL);
	}
	lzma_end(&s);
	return r;
}

static int read_header(struct walk *w)
{
	lzma_stream_flags flags;
	uint8_t buf[EDGE];
	int r = ckpt_check_read(w->check, w->end, buf, EDGE, "its header");

	if (r)
		return r;
	if (lzma_stream_header_decode(&flags, buf) != LZMA_OK ||
	    lzma_stream_flags_compare(&flags, &w->flags) != LZMA_OK)
		return bad(w, w->end, "the header of a stream");
	w->unchecked |= flags.check == LZMA_CHECK_NONE;
	w->unknown |= !lzma_check_is_supported(flags.check);
	w->streams++;
	return 0;
}

/* One stream, the last that was not seen. */
static int read_stream(struct walk *w)
{
	uint64_t size = 0;
	int r = read_footer(w);

	r = r ? r : read_index(w, &size);
	if (r)
		return r;
	if (size > w->end)
		return bad(w, w->end - EDGE - w->flags.backward_size, "the index");
	w->end -= size;
	return read_header(w);
}

static int walk(struct walk *w)
{
	int r;

	w->end = w->check->file->size;
	do {
		r = ckpt_ctx_expired(w->check->ctx);
		r = r ? r : skip_padding(w);
		r = r ? r : read_stream(w);
	} while (r == 0 && w->end > 0);
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
	struct ckpt_container c = { .codec = &codec, .proves = CKPT_EVIDENCE_CHECKSUM };
	struct walk w = { .check = check };
	int r = walk(&w);

	if (r)
		return r;
	if (w.unchecked || w.unknown) {
		c.proves = CKPT_EVIDENCE_STRUCTURE;
		c.note = w.unchecked ? "xz was told to store no checksum"
				     : "its checksum is of a kind not known here";
	}
	return ckpt_container_content(check, &c);
}

const struct ckpt_format ckpt_format_xz = {
	.name = "xz",
	.title = "xz",
	.kind = CKPT_KIND_FILE,
	.full = CKPT_EVIDENCE_CHECKSUM,
	.epoch_meaning = CKPT_EPOCH_UNKNOWN,
	.holds = true,
	.sniff = sniff,
	.structure = structure,
	.content = content,
};
