/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One check by several processes: each writes what it found out about its share (core/base/share.h)
 * to a file of its own, and whoever comes last, or asks, puts them together. Nothing is concluded
 * from a part alone: without all of them, of the same run and of the same files, it is unknown
 * whether the checkpoint is whole.
 */
#ifndef CKPT_CORE_INTEGRITY_PART_H
#define CKPT_CORE_INTEGRITY_PART_H

#include "core/base/share.h"
#include "core/catalog/catalog.h"

/* Where the parts of one checkpoint's check are: NAME.part-INDEX-of-COUNT.json in @dirfd. */
struct ckpt_parts {
	int dirfd;
	const char *name;
	unsigned int count;
	const char *run; /* id of the run they belong to ("JOB.STEP"); "" = none */
};

enum ckpt_part_result {
	CKPT_PART_MISSING = 1, /* one is not there, or of another run: *err says which */
};

/*
 * Verifies @ctx->share of @set at @level, and writes the part. The set's report is that of the
 * share: its evidence holds only together with the others'. 0 or an errno of the writing.
 */
int ckpt_part_make(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, struct ckpt_set *set,
		   enum ckpt_level level, struct ckpt_error *err);

/*
 * Puts all parts together into @set's report: corrupt if one found damage in the files that are
 * there now; unreadable where one is missing, could not find out, or read others. 0;
 * CKPT_PART_MISSING, with the report as far as known; or -ENOMEM.
 */
int ckpt_part_merge(struct ckpt_ctx *ctx, const struct ckpt_parts *parts, struct ckpt_set *set,
		    struct ckpt_error *err);

/* The count of the newest part of the checkpoint @name in @dirfd; 0 if there is none. */
unsigned int ckpt_part_count(int dirfd, const char *name);

#endif
