/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a name in a directory to a verdict. Everything that goes wrong becomes a verdict: what could
 * not be read is unreadable with its reason, a checkpoint that changed while it was read is
 * unreadable (writer-active).
 */
#ifndef CKPT_CORE_INTEGRITY_VERIFY_H
#define CKPT_CORE_INTEGRITY_VERIFY_H

#include "core/catalog/catalog.h"

/* What to check. */
struct ckpt_target {
	int dirfd;	  /* directory that holds it */
	const char *name; /* file, directory, or a bundle's prefix */
	enum ckpt_kind kind;
	bool asked; /* its user said that it is one, whatever its layout */
};

/*
 * Checks @target at @level and fills @report (zeroed here). Never fails: the verdict says it.
 * Evidence is the weakest of what was proved; problems of a valid one are remarks.
 */
void ckpt_verify(struct ckpt_ctx *ctx, const struct ckpt_target *target, enum ckpt_level level,
		 struct ckpt_report *report);

/*
 * What @name in @dirfd is: a file, a directory, or the prefix of a bundle (NAME.index exists). 0
 * with *@ret, or -ENOENT, or another errno.
 */
int ckpt_target_kind(int dirfd, const char *name, enum ckpt_kind *ret);

/*
 * Verifies @set at @level unless its report is of that level or of a deeper one; the report stays
 * with the set and is never NULL. A set of ranks has its weakest member's verdict, and is
 * incomplete with a rank missing. A seal that is there and belongs to these very files answers
 * instead of the format: at STRUCTURE without reading anything, at SAMPLE by the digests of a few
 * chunks, which ctx->seed chooses, in full by all of them. What was read of it is said in the note.
 * Without one, digests that others left (sidecar.h) are compared in full after the format.
 */
const struct ckpt_report *ckpt_set_verify(struct ckpt_ctx *ctx, struct ckpt_set *set,
					  enum ckpt_level level);

/* Makes the valid @report that of an unfinished save where NeMo's marker stands beside @set. */
void ckpt_set_judge_marker(const struct ckpt_set *set, struct ckpt_report *report);

/* ckpt_set_verify() in full by the format alone: whatever an older report and a seal say. */
const struct ckpt_report *ckpt_set_verify_anew(struct ckpt_ctx *ctx, struct ckpt_set *set);

#endif
