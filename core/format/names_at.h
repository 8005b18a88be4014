/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies in a range of a checkpoint's file: tensors, records, arrays. For the words about damage
 * that a digest found, which knows bytes only.
 */
#ifndef CKPT_CORE_FORMAT_NAMES_AT_H
#define CKPT_CORE_FORMAT_NAMES_AT_H

#include "core/format/format.h"

struct ckpt_extent {
	const char *file; /* which file of a bundle; a single file's own name */
	uint64_t off, len;
};

/* Names, ", " between them; those that do not fit are counted alone. */
struct ckpt_names {
	char text[200];
	uint64_t n, kept;
};

/* Whether [@begin, @end) of the file meets @extent. */
bool ckpt_extent_meets(const struct ckpt_extent *extent, uint64_t begin, uint64_t end);

/* Adds @name, if [@begin, @end) of the file meets @extent. */
void ckpt_names_offer(struct ckpt_names *names, const struct ckpt_extent *extent, uint64_t begin,
		      uint64_t end, const char *name);

/* "a, b and 3 more" into @buf, cleaned; "" without names. */
void ckpt_names_words(const struct ckpt_names *names, char *buf, size_t size);

/*
 * Asks the row of the file or bundle @check (of a file: opened, not yet probed) what lies in
 * @extent. 0 with the names added, none where nothing is known; or as a check function, where the
 * directory of names is itself damaged.
 */
int ckpt_names_find(struct ckpt_check *check, const struct ckpt_extent *extent,
		    struct ckpt_names *names);

#endif
