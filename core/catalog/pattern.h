/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small language in which the table of names is written: literal text and a few signs, matched
 * against a whole lower-case name.
 *
 *   *       any text, also none
 *   ?       one character
 *   (a|b)   one of these literals, the first that leads to a match
 *   [ab]    one of these characters comes next; takes none: spares the longer choices behind it
 *   ~       at most one of - _ = .
 *   <  >    a word begins, ends here: no letter or digit before, after
 *   {x}     a whole run of digits with the meaning x; {x6}: exactly six digits
 */
#ifndef CKPT_CORE_CATALOG_PATTERN_H
#define CKPT_CORE_CATALOG_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CKPT_PATTERN_NUMBERS 4 /* in one pattern */

/* A number that a pattern took: @meaning is its letter, the digits are name[begin, end). */
struct ckpt_pattern_number {
	char meaning;
	size_t begin, end;
};

struct ckpt_pattern_match {
	int n;
	struct ckpt_pattern_number numbers[CKPT_PATTERN_NUMBERS];
};

/* True if the whole of @name is of @pattern; then the numbers are in @ret. */
bool ckpt_pattern_match(const char *pattern, const char *name, struct ckpt_pattern_match *ret);

/* The digits at @n in @s as a number; false on overflow. */
bool ckpt_pattern_int(const char *s, const struct ckpt_pattern_number *n, int64_t *ret);

#endif
