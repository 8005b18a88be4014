/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which chunks of which files differ from their digests, while they are found in any order: a bit
 * each, whatever they have.
 */
#ifndef CKPT_CORE_INTEGRITY_DIFFERS_H
#define CKPT_CORE_INTEGRITY_DIFFERS_H

#include "core/format/differing.h"
#include "core/integrity/digest.h"

struct ckpt_differs {
	/* Borrowed; with chunks, their digests are one array. */
	const struct ckpt_digest_file *files;
	size_t n;
	uint64_t chunk; /* 0: whole files */
	uint8_t *bits;	/* owned */
};

/* Prepares for @job's files and chunks, none of which differ yet. 0 or -ENOMEM. */
int ckpt_differs_init(struct ckpt_differs *differs, const struct ckpt_digest_job *job);

/* Takes @bad in: may be called again with the same. */
void ckpt_differs_take(struct ckpt_differs *differs, const struct ckpt_digest_bad *bad);

/* All that were taken in, in the order of the files, those that touch each other as one;
 * @ret_files: the numbers of the files that the named ones are of. */
void ckpt_differs_tell(const struct ckpt_differs *differs, struct ckpt_differing *ret,
		       size_t ret_files[CKPT_DIFFERENCES_NAMED]);

/* Frees it; zeroed is fine. */
void ckpt_differs_done(struct ckpt_differs *differs);
#define _cleanup_differs_ _cleanup_(ckpt_differs_done)

#endif
