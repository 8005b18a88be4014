/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text files of simulation codes (C++ streams wrote them) read once from front to back in constant
 * memory: numbers, words and lines. The first thing that does not fit ends the reading, and says
 * whether the text was cut there or is no such text.
 */
#ifndef CKPT_CORE_FORMAT_SCAN_H
#define CKPT_CORE_FORMAT_SCAN_H

#include <stdbool.h>

#include "core/format/format.h"
#include "core/format/stream.h"

enum ckpt_scan_result {
	CKPT_SCAN_TORN = 1, /* the text ends inside what was asked for */
	CKPT_SCAN_SYNTAX,   /* something else stands there */
};

struct ckpt_scan {
	struct ckpt_stream in;
	int next; /* the character not yet taken, or -1 */
	int r;	  /* 0; ckpt_scan_result; or an errno: nothing is taken any more */
	struct ckpt_error *err;
};

/* Begins at @off of @file, which is borrowed, and reads up to @end at most, both inside the file.
 * 0, -ENOMEM or an errno of the first read. */
int ckpt_scan_open(struct ckpt_scan *scan, const struct ckpt_file *file, uint64_t off, uint64_t end,
		   struct ckpt_error *err);

/* Frees the buffer; a zeroed scan is fine. */
void ckpt_scan_done(struct ckpt_scan *scan);
#define _cleanup_scan_ _cleanup_(ckpt_scan_done)

/* The next character behind blanks, not taken; -1 at the end. */
int ckpt_scan_peek(struct ckpt_scan *scan);

/* Takes blanks and the characters of @text, with any blanks between them. False if they are not
 * there. */
bool ckpt_scan_expect(struct ckpt_scan *scan, const char *text);

/* Takes a decimal integer. 0 with scan->r set if there is none or it does not fit. */
int64_t ckpt_scan_int(struct ckpt_scan *scan);

/* Takes a number as printf and C++ write it ("nan" and "inf" too); 0 with scan->r set otherwise. */
double ckpt_scan_real(struct ckpt_scan *scan);

/* Takes a word up to a blank, at most @size - 1 bytes; longer ones are no such text. */
bool ckpt_scan_word(struct ckpt_scan *scan, char *ret, size_t size);

/*
 * Takes the rest of the line, without its end, into @ret; of longer ones the first @size - 1 bytes.
 * False at the end of the text (scan->r stays 0) or after a failure.
 */
bool ckpt_scan_line(struct ckpt_scan *scan, char *ret, size_t size);

/* Offset in the file of the next character that is not taken. */
uint64_t ckpt_scan_offset(const struct ckpt_scan *scan);

/* What scan->r means for the file @check is about: INCOMPLETE, CORRUPT, or 0 and errnos as they
 * are. */
int ckpt_scan_verdict(const struct ckpt_scan *scan, struct ckpt_check *check);

#endif
