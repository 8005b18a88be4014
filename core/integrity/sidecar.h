/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests that others left with a checkpoint: lists of the kinds of sums.h inside or beside it
 * (HTCondor's checkpoint manifests too), NAME.sha256 and the like, Git LFS pointers as NAME.lfs,
 * VELOC's NAME.chksum, and the hub's blobs, whose names are their digests. (Megatron's
 * integrity.json is read by the row of its format.)
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_H
#define CKPT_CORE_INTEGRITY_SIDECAR_H

#include "core/catalog/catalog.h"

/*
 * Compares the files of the valid @set in @dirfd with the digests that are there and enters the
 * result into @report: evidence seal where they cover all files and all match (checksum, and a
 * note, where some are MD5 or SHA-1); corrupt (digest) where one does not match, unless the
 * format's own checksums hold or the list is older than the file: then a note. A length that such a
 * pointer tells counts as its digest does, and costs no reading. What the budget cut off is a note
 * too.
 */
void ckpt_sidecar_verify(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_set *set,
			 struct ckpt_report *report);

#endif
