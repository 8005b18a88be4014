/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was in a file of the program before we changed it: kept beside, never overwritten.
 */
#ifndef CKPT_CORE_RECORD_BACKUP_H
#define CKPT_CORE_RECORD_BACKUP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/ctx.h"
#include "wire/error.h"

/* Content that is to be kept. */
struct ckpt_backup {
	const char *name; /* of the file it comes from */
	int64_t attempt;
	const char *data;
	size_t len;
};

/*
 * Keeps @backup in @dirfd as NAME.ATTEMPT, or where that exists with other content NAME.ATTEMPT.1
 * and so on, so that a repeated alignment loses nothing. 0, also when it is there already; -EEXIST
 * after 100 of them; or an errno.
 */
int ckpt_backup_store(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_backup *backup,
		      struct ckpt_error *err);

/*
 * Renames @name in @dirfd to @name + @suffix, or where that exists @name + @suffix.1 and so on,
 * without overwriting anything. 0, -EEXIST after 100 of them, or an errno.
 */
int ckpt_set_aside(int dirfd, const char *name, const char *suffix, struct ckpt_error *err);

/*
 * renameat2(2) with RENAME_NOREPLACE; where the file system cannot do that, a check and a rename.
 * 0, -EEXIST or an errno.
 */
int ckpt_rename_new(int fromfd, const char *from, int tofd, const char *to);

#endif
