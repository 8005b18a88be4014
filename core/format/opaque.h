/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last row: any file whose format nobody here knows. All that can be said is that it is not
 * empty, and that its end was written.
 */
#ifndef CKPT_CORE_FORMAT_OPAQUE_H
#define CKPT_CORE_FORMAT_OPAQUE_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_opaque;

/*
 * The same of a file that looked like some row's and is not: its end is no zeros, neither a whole
 * last page nor the greater part of a file of at least a sector. Reads 4 KiB at most. 0,
 * CKPT_INCOMPLETE or an errno.
 */
int ckpt_opaque_check_end(struct ckpt_check *check);

/* Whether @member, which passed, has nothing of what the file that it stands for begins with: no
 * row knows it, and no container's note says why. */
bool ckpt_opaque_is_headless(const struct ckpt_report *member);

/* Whether @name is one of a format that has a row, and of no other: nobody means an unknown content
 * by it. */
bool ckpt_opaque_is_odd(const char *name);

#endif
