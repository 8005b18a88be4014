/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of one part.
 */
#ifndef CKPT_CORE_INTEGRITY_PART_FILE_H
#define CKPT_CORE_INTEGRITY_PART_FILE_H

#include "core/integrity/digest.h"
#include "core/integrity/part.h"

/* What one part says. */
struct ckpt_part {
	char run[64];
	char files[CKPT_DIGEST_HEX]; /* over names and identities of all files */
	char format[32];
	struct ckpt_verdict verdict;
	struct ckpt_differing differing;
	struct ckpt_share share; /* index, count, way and the pieces that were read */
};

/* Name of the part number @index into @buf of NAME_MAX + 1 bytes. False if too long. */
bool ckpt_part_name(const struct ckpt_parts *parts, unsigned int index, char *buf);

/* Digest of names and identities of the files of @set as they are now, as text. 0 or an errno. */
int ckpt_part_files(const struct ckpt_set *set, char ret[CKPT_DIGEST_HEX], struct ckpt_error *err);

/* Writes @part, number @part->share.index. 0 or an errno. */
int ckpt_part_store(const struct ckpt_parts *parts, const struct ckpt_part *part,
		    struct ckpt_error *err);

/* Reads part number @index. 0; CKPT_PART_MISSING (torn counts as missing); or an errno. The caller
 * calls ckpt_part_done(). */
int ckpt_part_load(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, unsigned int index,
		   struct ckpt_part *ret, struct ckpt_error *err);

/* Frees what @part owns. */
void ckpt_part_done(struct ckpt_part *part);
#define _cleanup_part_ _cleanup_(ckpt_part_done)

#endif
