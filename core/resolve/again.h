/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deciding once more inside an attempt (a program that is started again in a loop), and what was
 * decided for the attempt before.
 */
#ifndef CKPT_CORE_RESOLVE_AGAIN_H
#define CKPT_CORE_RESOLVE_AGAIN_H

#include "core/resolve/resolve.h"

/*
 * The number of the next attempt of @req's job by the ledgers of @roots: one more than the highest
 * that was not refused; 0 where there is none. 0 or an errno: what could not be read may hold
 * attempts.
 */
int ckpt_attempt_next(const struct ckpt_roots *roots, const struct ckpt_request *req, int64_t *ret,
		      struct ckpt_error *err);

/* Reads a decision from the JSON that ckpt_settle() left. 0; -ENOENT; -EINVAL where it is none; or
 * an errno. */
int ckpt_decision_load(struct ckpt_ctx *ctx, const char *path, struct ckpt_decision *ret,
		       struct ckpt_error *err);

/* The decision that was recorded for the attempt of @req in one of @roots. As
 * ckpt_decision_load(). */
int ckpt_decision_recorded(struct ckpt_ctx *ctx, const struct ckpt_roots *roots,
			   const struct ckpt_request *req, struct ckpt_decision *ret,
			   struct ckpt_error *err);

/*
 * Decides for @req, whose attempt was decided before as @before: as a later attempt would, so that
 * what has been saved since counts; with nothing of the run's own, as @before says, where that had
 * a checkpoint and it still verifies. Never a fresh start where @before had one. Changes nothing
 * but *@ret, which ckpt_settle() may follow with the same @req. As ckpt_resolve().
 */
int ckpt_resolve_again(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		       const struct ckpt_decision *before, struct ckpt_resolution *ret,
		       struct ckpt_error *err);

#endif
