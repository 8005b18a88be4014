/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What NAME.metadata.json says besides the seal: size, time, the first digits of a hash, the
 * configuration and the state of the training.
 */
#ifndef CKPT_CORE_INTEGRITY_METADATA_H
#define CKPT_CORE_INTEGRITY_METADATA_H

#include "core/integrity/files.h"
#include "core/base/json.h"

/* Where a checkpoint lies: the directory that holds it, and that which its files are relative to.
 */
struct ckpt_seat {
	int dirfd, rootfd;
};

/*
 * Makes the metadata of @set, which consists of @files and whose report is valid: what a file that
 * is there says of time, configuration and training, and under keys that are not ours, is kept. One
 * that is no JSON object is renamed NAME.metadata.json.torn. 0 with *@ret for the caller to delete,
 * or an errno.
 */
int ckpt_metadata_make(struct ckpt_ctx *ctx, const struct ckpt_seat *seat,
		       const struct ckpt_set *set, const struct ckpt_files *files, cJSON **ret,
		       struct ckpt_error *err);

#endif
