/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoints under names that are no checkpoint's. They stay no candidates, as datasets and
 * results are none; but a job that begins anew beside them is told how they become some.
 */
#ifndef CKPT_CORE_RESOLVE_STRAY_H
#define CKPT_CORE_RESOLVE_STRAY_H

#include "core/resolve/resolve.h"

#define CKPT_STRAY_LOOKED 4 /* files of a run directory that are read at most, the newest ones */

/*
 * Looks among the newest files of @res's run directories, whose scan found nothing, for one whose
 * content is valid in a known format, and writes to @ret what to say of it: its name, its format
 * and --ckpt-glob. False, with @ret untouched, where there is none or it could not be found out.
 * Reads some kilobytes of each, and no other file where a directory has more than some hundred
 * entries.
 */
bool ckpt_stray_find(struct ckpt_ctx *ctx, const struct ckpt_resolution *res, char *ret,
		     size_t size);

#endif
