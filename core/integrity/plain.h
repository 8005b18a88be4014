/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain SHA-256 digests of a checkpoint's files, as sha256sum makes and checks them.
 */
#ifndef CKPT_CORE_INTEGRITY_PLAIN_H
#define CKPT_CORE_INTEGRITY_PLAIN_H

#include "core/integrity/digest.h"
#include "core/integrity/files.h"

/* Files and the digest of each; both owned. */
struct ckpt_plain {
	struct ckpt_files files;
	struct ckpt_digest *digests;
};

/*
 * Computes the digests of all files of @set. 0; CKPT_DIGEST_CHANGED when one changed meanwhile;
 * -E2BIG when there are too many; or another errno.
 */
int ckpt_plain_make(struct ckpt_ctx *ctx, const struct ckpt_set *set, struct ckpt_plain *ret,
		    struct ckpt_error *err);

/* Frees what @plain owns. */
void ckpt_plain_done(struct ckpt_plain *plain);
#define _cleanup_plain_ _cleanup_(ckpt_plain_done)

/*
 * A line of sha256sum for @path: digest, two blanks, path; with a backslash in front where the path
 * holds one or a line's end, which are escaped. On the heap; NULL without memory.
 */
char *ckpt_plain_line(const struct ckpt_digest *digest, const char *path);

#endif
