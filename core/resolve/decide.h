/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filling in a decision once it is clear what it is.
 */
#ifndef CKPT_CORE_RESOLVE_DECIDE_H
#define CKPT_CORE_RESOLVE_DECIDE_H

#include "core/record/pointer.h"
#include "core/resolve/resolve.h"

/* The job must not start: mode refused, @code, and the line. */
void ckpt_decide_refused(struct ckpt_resolution *res, enum ckpt_refusal code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The run has come to its declared end: mode done; the script does not start. */
void ckpt_decide_done(struct ckpt_resolution *res);

/* The program has left its end marker @name: mode done; the script does not start. */
void ckpt_decide_marked(struct ckpt_resolution *res, const char *name);

/* The run has finished in @attempt: mode done; the script does not start. */
void ckpt_decide_finished(struct ckpt_resolution *res, int64_t attempt);

/* Nothing to start from: mode fresh, epoch 0. */
void ckpt_decide_fresh(struct ckpt_resolution *res);

/*
 * Start from @set (proved): mode resume when it is full, or of unknown contents, and lies in a run
 * directory, else finetune; path, position, epochs, disagreements, whether the step has to settle
 * anything; and the line.
 */
void ckpt_decide_chosen(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			struct ckpt_resolution *res, struct ckpt_set *set);

/* What the pointers of frameworks may be about: the set @set, which it borrows from. */
struct ckpt_pointer_subject ckpt_decide_subject(const struct ckpt_set *set);

#endif
