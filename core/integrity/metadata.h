/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What NAME.metadata.json says besides the seal: size, time, the first digits of a hash, the
 * configuration (and how much of it was left out), and the state of the training.
 */
#ifndef CKPT_CORE_INTEGRITY_METADATA_H
#define CKPT_CORE_INTEGRITY_METADATA_H

#include "core/base/json.h"
#include "core/integrity/files.h"
#include "core/integrity/seal.h"

/* A valid checkpoint; all borrowed. */
struct ckpt_subject {
	const struct ckpt_set *set; /* with its report */
	const struct ckpt_files *files;
	const struct ckpt_seal *seal; /* the new one: names and digests of the files */
	int dirfd, rootfd; /* the directory that holds it, and that of ckpt_files_root() */
};

/*
 * Makes the metadata of @subject. What a file that is there says under keys that are not ours is
 * kept; so is what it says of time, configuration and training, unless it holds a seal of other
 * bytes: then those are of an older save. One that is no JSON object is renamed
 * NAME.metadata.json.torn. 0 with *@ret for the caller to delete, or an errno.
 */
int ckpt_metadata_make(struct ckpt_ctx *ctx, const struct ckpt_subject *subject, cJSON **ret,
		       struct ckpt_error *err);

#endif
