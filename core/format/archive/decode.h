/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed files, decoded from front to back through fixed buffers: one struct of functions a
 * codec, one driver for all. A file may hold several frames (members, streams) one after the other;
 * its end is reached only when the own checks of each agree.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_DECODE_H
#define CKPT_CORE_FORMAT_ARCHIVE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"

enum ckpt_decode_result {
	CKPT_DECODE_END = 1,  /* the frame's, or the file's: all that it records agrees */
	CKPT_DECODE_SHORT,    /* the file ends inside a frame */
	CKPT_DECODE_BAD,      /* cannot be decoded, or does not match its own checksum */
	CKPT_DECODE_TRAILING, /* behind the last frame stands what is no frame */
	CKPT_DECODE_CANNOT,   /* whole or not, it cannot be decoded here: codec->limits */
};

/* What is left of both buffers; moved on by each step. */
struct ckpt_codec_io {
	const uint8_t *in;
	size_t n_in;
	uint8_t *out;
	size_t n_out;
};

struct ckpt_codec {
	const char *name;   /* "gzip" */
	const char *limits; /* what cannot be decoded here, for the text */
	/* Bytes that may come out for each one of the file: what a second a MB of it decodes. */
	uint32_t ratio;
	uint32_t pad; /* zeros in this unit may stand behind a frame; 0: none */
	/* Whether a frame begins with the @n bytes at @head (CKPT_CODEC_LOOK, or all there are). */
	bool (*starts)(const uint8_t *head, size_t n);
	void *(*open)(void);	    /* NULL: no memory */
	void (*close)(void *state); /* NULL is fine */
	int (*begin)(void *state);  /* before each frame. 0, CANNOT or -ENOMEM */
	/* Goes on. 0, END of the frame, BAD, CANNOT or -ENOMEM. No progress: needs more input. */
	int (*step)(void *state, struct ckpt_codec_io *io);
};

#define CKPT_CODEC_LOOK 16 /* bytes that tell a frame's beginning */

struct ckpt_decoder {
	const struct ckpt_codec *codec;
	const struct ckpt_file *file; /* borrowed */
	void *state;
	uint8_t *buf;
	size_t at, len;	 /* of the buffer */
	uint64_t next;	 /* offset in the file of what follows the buffer */
	uint64_t frames; /* begun */
	uint64_t pad_at; /* where the last padding begins */
	bool in_frame;
};

/* Prepares to decode @file with @codec; reads nothing. 0 or -ENOMEM. */
int ckpt_decoder_init(struct ckpt_decoder *d, const struct ckpt_codec *codec,
		      const struct ckpt_file *file, struct ckpt_error *err);

/* Frees it; a zeroed one is fine. */
void ckpt_decoder_done(struct ckpt_decoder *d);
#define _cleanup_decoder_ _cleanup_(ckpt_decoder_done)

/* Goes back to the file's beginning. */
void ckpt_decoder_rewind(struct ckpt_decoder *d);

/*
 * Decodes 1 to @len bytes to @buf. 0 with their number in *@ret; a ckpt_decode_result; or an errno.
 */
int ckpt_decoder_pull(struct ckpt_decoder *d, uint8_t *buf, size_t len, size_t *ret,
		      struct ckpt_error *err);

/* Offset in the file of the first byte that was not decoded yet. */
uint64_t ckpt_decoder_offset(const struct ckpt_decoder *d);

#endif
