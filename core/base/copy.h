/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of a file beside it.
 */
#ifndef CKPT_CORE_BASE_COPY_H
#define CKPT_CORE_BASE_COPY_H

#include "core/base/ctx.h"
#include "wire/error.h"

/*
 * Makes @to in @dirfd a copy of the regular file @from there: shared extents where the file system
 * has them, else byte for byte within @ctx's deadline, and only where it takes less than half of
 * the free space. Appears whole and durable under its name or not at all; never replaces anything:
 * -EEXIST. 0 or an errno (-ENOSPC, -ETIMEDOUT, ...).
 */
int ckpt_file_copy(struct ckpt_ctx *ctx, int dirfd, const char *from, const char *to,
		   struct ckpt_error *err);

#endif
