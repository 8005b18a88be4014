/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error of the whole project: a negative errno and one finished sentence. Results are int:
 * 0 done, < 0 "could not find out" (negative errno), > 0 a verdict enum of the function.
 */
#ifndef CKPT_WIRE_ERROR_H
#define CKPT_WIRE_ERROR_H

#include <stdarg.h>

#define CKPT_ERROR_TEXT 1024 /* bytes, with the NUL; longer texts are cut */

/* Filled where the cause is known; `text` can be printed as it is (no control characters). */
struct ckpt_error {
	int code;
	char text[CKPT_ERROR_TEXT];
};

/*
 * Fills @err (may be NULL) with @code and the formatted text and returns @code, so that a failure
 * is one line: return ckpt_fail(err, -ENOENT, "..."). Control characters in the result become '?'.
 * Quote user text with ckpt_text_quote() first.
 */
int ckpt_fail(struct ckpt_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
