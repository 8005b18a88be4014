/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two halves of the streaming JSON reader share: bytes one at a time (jstream.c) and
 * strings (jstring.c). Not for anybody else.
 */
#ifndef CKPT_CORE_BASE_JSTREAM_PRIVATE_H
#define CKPT_CORE_BASE_JSTREAM_PRIVATE_H

#include "core/base/jstream.h"

#define CKPT_JSTREAM_AT_END 256 /* beside bytes 0..255 */

/* The next byte without taking it (js->pos++ does), CKPT_JSTREAM_AT_END, or an errno. */
int ckpt_jstream_peek(struct ckpt_jstream *js, struct ckpt_error *err);

/* What a peeked @c that does not fit means: an errno, TORN or SYNTAX. */
int ckpt_jstream_misfit(int c);

/* Reads the string whose opening quote is next into js->text and @tok. As ckpt_jstream_next(). */
int ckpt_jstream_string(struct ckpt_jstream *js, struct ckpt_jtoken *tok, struct ckpt_error *err);

#endif
