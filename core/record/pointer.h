/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointer files that frameworks follow. Today: TensorFlow's `checkpoint` text proto
 * (model_checkpoint_path, all_model_checkpoint_paths, timestamps).
 */
#ifndef CKPT_CORE_RECORD_POINTER_H
#define CKPT_CORE_RECORD_POINTER_H

#include "core/format/verdict.h"

enum ckpt_pointer_result {
	CKPT_POINTER_ABSENT = 1,
	CKPT_POINTER_TORN,
	CKPT_POINTER_SAME, /* align: it already names it */
};

/* The name (last path component) that a pointer in @dirfd names. 0 with @ret (@size bytes), ABSENT,
 * TORN or an errno. */
int ckpt_pointer_tf_load(struct ckpt_ctx *ctx, int dirfd, char *ret, size_t size,
			 struct ckpt_error *err);

/* What a pointer is to name, and where its former content is kept. */
struct ckpt_pointer_aim {
	const char *target; /* an entry of the pointer's directory */
	int backup_dirfd;
	int64_t attempt;
};

/*
 * Makes it name @aim->target: model_checkpoint_path becomes it, entries after it in
 * all_model_checkpoint_paths (and their timestamps) go; a list that does not hold it begins anew.
 * The former content is kept in the backup directory as checkpoint.ATTEMPT. Nothing is created
 * where no pointer was. 0, ABSENT, TORN, SAME or an errno.
 */
int ckpt_pointer_tf_align(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_pointer_aim *aim,
			  struct ckpt_error *err);

#endif
