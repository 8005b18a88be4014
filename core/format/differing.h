/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ranges of files that are not as digests say: counted all, the first ones named.
 */
#ifndef CKPT_CORE_FORMAT_DIFFERING_H
#define CKPT_CORE_FORMAT_DIFFERING_H

#include "core/format/verdict.h"

/* Adds [@off, @off + @len) of @file, which comes behind all that were added; one that begins where
 * the last one of the same file ends prolongs it. */
void ckpt_differing_add(struct ckpt_differing *all, const char *file, uint64_t off, uint64_t len);

/* Adds @more, which comes behind. Either may be empty. */
void ckpt_differing_join(struct ckpt_differing *all, const struct ckpt_differing *more);

/* "bytes 0 to 9 of a.pt (w, b); bytes 20 to 29 of b.pt; and 3 more ranges" from number @first of
 * the named ones on; "" if there is none. Returns @buf. */
const char *ckpt_differing_words(char *buf, size_t size, const struct ckpt_differing *all,
				 int first);

#endif
