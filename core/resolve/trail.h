/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building the trail of a decision, and the words for it.
 */
#ifndef CKPT_CORE_RESOLVE_TRAIL_H
#define CKPT_CORE_RESOLVE_TRAIL_H

#include "core/resolve/resolve.h"

/* Appends an entry about @set (NULL = a remark). 0 or -ENOMEM. */
int ckpt_trail_add(struct ckpt_resolution *res, struct ckpt_set *set, enum ckpt_fate fate,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Points the entries to their sets again, after a scan has moved those. */
void ckpt_trail_rebind(struct ckpt_resolution *res);

/* The last entry about @set, or NULL. */
struct ckpt_trail_entry *ckpt_trail_of(struct ckpt_resolution *res, const struct ckpt_set *set);

#define CKPT_REPORT_WORDS 4096

/*
 * What a verdict says in a few words, for trails and lines: "incomplete (truncated): 4096 of 8192
 * bytes", "corrupt (checksum) in data/3 of optimizer.pt at byte 1234: its CRC-32 is wrong"; the
 * evidence for a valid one, with a remark ("; remark (trailing) at byte 1234: ...") and what a look
 * for NaN and Inf found. @name is the checkpoint's own, which the words do not repeat; may be NULL.
 * Returns @buf, of CKPT_REPORT_WORDS bytes where nothing is to be cut.
 */
const char *ckpt_report_words(char *buf, size_t size, const struct ckpt_report *report,
			      const char *name);

/* "epoch 3, step 4500" of @position, "position unknown" where there is none. Returns @buf. */
const char *ckpt_position_words(char *buf, size_t size, const struct ckpt_position *position);

/* Appends "; "-separated text to the decision's warning; what does not fit is dropped. */
void ckpt_resolution_warn(struct ckpt_resolution *res, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Composes decision.line from the finished decision and trail. */
void ckpt_resolution_line(struct ckpt_resolution *res, const struct ckpt_set *chosen);

#endif
