/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A streaming JSON reader for documents too large for a tree: tokens are pulled one at a time from
 * a range of a file through one fixed buffer. Strict (RFC 8259, valid UTF-8); memory does not grow
 * with the document, its strings or its depth.
 */
#ifndef CKPT_CORE_BASE_JSTREAM_H
#define CKPT_CORE_BASE_JSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"

#define CKPT_JSTREAM_DEPTH                                                                         \
	64 /* containers in containers: one bit each; real documents have under 10 */
#define CKPT_JSTREAM_TEXT                                                                          \
	1024 /* bytes of a string or number that are kept; the hash covers all of it */

enum ckpt_jtype {
	CKPT_J_END, /* the one value is whole and only blanks follow it */
	CKPT_J_OBJECT,
	CKPT_J_OBJECT_END,
	CKPT_J_ARRAY,
	CKPT_J_ARRAY_END,
	CKPT_J_KEY,
	CKPT_J_STRING,
	CKPT_J_NUMBER,
	CKPT_J_TRUE,
	CKPT_J_FALSE,
	CKPT_J_NULL,
};

/* One token. @text is valid until the next call. */
struct ckpt_jtoken {
	enum ckpt_jtype type;
	int depth;    /* containers open around it (a container's own begin and end included) */
	uint64_t off; /* in the file, of its first byte */
	const char
		*text; /* KEY, STRING (decoded, NUL-terminated, may hold NULs), NUMBER; else "" */
	size_t len;    /* bytes kept in @text */
	bool cut;      /* the string was longer */
	uint64_t hash; /* of the whole decoded KEY or STRING: 64 well-mixed bits */
};

enum ckpt_jstream_result {
	CKPT_JSTREAM_TORN = 1, /* the range ends inside the value */
	CKPT_JSTREAM_SYNTAX,   /* no JSON at ckpt_jstream_offset() */
	CKPT_JSTREAM_DEEP,     /* beyond CKPT_JSTREAM_DEPTH */
};

struct ckpt_jstream {
	const struct ckpt_file *file; /* borrowed */
	uint64_t off, end;	      /* next byte to load; end of the range */
	unsigned char *buf;
	size_t pos, n;
	bool python; /* also take what Python's json writes: NaN, Infinity, lone surrogates */
	int state, depth;
	uint64_t objects; /* bit k: the container at depth k + 1 is an object */
	char text[CKPT_JSTREAM_TEXT + 1];
};

/* Begins at @off of @file, over @len bytes (which may reach beyond the file: then it is torn). 0 or
 * -ENOMEM. */
int ckpt_jstream_open(struct ckpt_jstream *js, const struct ckpt_file *file, uint64_t off,
		      uint64_t len);

/* Frees the buffer; a zeroed stream is fine. */
void ckpt_jstream_done(struct ckpt_jstream *js);
#define _cleanup_jstream_ _cleanup_(ckpt_jstream_done)

/*
 * Pulls the next token into *@ret. 0; ckpt_jstream_result; or an errno of ckpt_file_read(). After
 * CKPT_J_END it keeps answering CKPT_J_END; after a failure the stream must not be used further.
 */
int ckpt_jstream_next(struct ckpt_jstream *js, struct ckpt_jtoken *ret, struct ckpt_error *err);

/* Skips the value that begins with @token (pulls a container's tokens to its end). As
 * ckpt_jstream_next(). */
int ckpt_jstream_skip(struct ckpt_jstream *js, const struct ckpt_jtoken *token,
		      struct ckpt_error *err);

/* The offset in the file of the next byte: after SYNTAX, the byte at fault. */
uint64_t ckpt_jstream_offset(const struct ckpt_jstream *js);

/* After SYNTAX: whether the byte at fault is NUL, the mark of space that was reserved and never
 * written. */
bool ckpt_jstream_at_nul(const struct ckpt_jstream *js);

/* A NUMBER token as an unsigned integer; false for any other token, sign, fraction or overflow. */
bool ckpt_jtoken_u64(const struct ckpt_jtoken *token, uint64_t *ret);

/* A NUMBER token as a finite number. */
bool ckpt_jtoken_number(const struct ckpt_jtoken *token, double *ret);

/* True for a KEY or STRING token that equals @text. */
bool ckpt_jtoken_is(const struct ckpt_jtoken *token, const char *text);

/* The hash that tokens carry, of @len bytes at @text. */
uint64_t ckpt_jstream_hash(const char *text, size_t len);

#endif
