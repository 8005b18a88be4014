/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounded text for both sides of the privilege border: cleaning, quoting, strict numbers.
 * No locale, no allocation.
 */
#ifndef CKPT_WIRE_TEXT_H
#define CKPT_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replaces every control byte (< 0x20, 0x7f, and C1 controls as UTF-8 C2 80..C2 9F) of @s by '?',
 * and every byte that is no UTF-8: alone, 80..9F are C1 controls to some terminals. */
void ckpt_text_clean(char *s);

/* Replaces every byte of @s that is no UTF-8 by '?', and nothing else. */
void ckpt_text_make_utf8(char *s);

/* True if @s holds a control byte. Bytes outside UTF-8 are none: file names may hold them. */
bool ckpt_text_has_control(const char *s);

/*
 * Copies @src to @dst (@size bytes with the NUL). Returns false, and leaves @dst empty, when it
 * does not fit: a cut path is a wrong path.
 */
bool ckpt_text_copy(char *dst, size_t size, const char *src);

/*
 * Writes @src between single quotes into @dst, controls, quotes and bytes outside UTF-8 as \xNN, at
 * most @size bytes with the NUL; an overlong one ends in "...'". @size must be at least 8. Returns
 * @dst.
 */
const char *ckpt_text_quote(char *dst, size_t size, const char *src);

/* ckpt_text_quote() into a buffer of its own that lives until the end of the enclosing block. */
#define CKPT_QUOTE(s) ckpt_text_quote((char[256]) { 0 }, 256, (s))

/* Parses the whole of @s as a decimal in [@min, @max]. Returns false and leaves *@ret untouched
 * otherwise: no blanks, no '+', no leading zeros beyond one digit, no overflow. */
bool ckpt_text_int(const char *s, int64_t min, int64_t max, int64_t *ret);

/*
 * Parses the whole of @s as a duration above zero: a number alone is minutes, as in Slurm; Ns, Nm,
 * Nh, Nd; [D-]HH:MM:SS, D-HH[:MM] and MM:SS. Up to 3,650 days. False, *@ret_s untouched, otherwise.
 */
bool ckpt_text_duration(const char *s, int64_t *ret_s);

/* True if @s is a non-empty word of [A-Za-z0-9_.-] that does not begin with '.' or '-'. */
bool ckpt_text_is_word(const char *s);

/* True if @s begins with @prefix; then *@ret_rest (may be NULL) is what follows. */
bool ckpt_text_starts(const char *s, const char *prefix, const char **ret_rest);

/* True if @s ends with @suffix. */
bool ckpt_text_ends(const char *s, const char *suffix);

#endif
