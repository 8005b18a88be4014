/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writers that write NAME.tmp and rename it leave, when they die between, a set with a file of
 * a temporary name and none of its own. Formats whose files may be missing cannot tell that from a
 * save without it; the name can.
 */
#ifndef CKPT_CORE_INTEGRITY_HALF_RENAMED_H
#define CKPT_CORE_INTEGRITY_HALF_RENAMED_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Looks through the names in the directory @name of @dirfd and in its folders (hidden ones aside)
 * for data under a temporary name whose own name is free. True with the first one found in @ret
 * (@size bytes, relative to the directory); false where there is none, or names cannot be read:
 * then the format's own check has said so. One pass, no stat of what looks finished.
 */
bool ckpt_half_renamed(int dirfd, const char *name, char *ret, size_t size);

#endif
