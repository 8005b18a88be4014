/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Retention (--ckpt-keep, `ckptctl prune`): which checkpoints are one too many, and their removal.
 *
 * In each series the N newest that a next attempt could start from are kept. Behind them goes what
 * is numbered, valid, sealed and unchanged since; never what anything refers to: a decision, the
 * framework's pointer, a link, epoch_info.json, the settings of a newer one; never the best, nor
 * what has the least or the greatest value of a metric in its name. Whatever cannot be found out
 * keeps everything.
 */
#ifndef CKPT_CORE_RESOLVE_RETAIN_H
#define CKPT_CORE_RESOLVE_RETAIN_H

#include "core/resolve/resolve.h"
#include "wire/keep.h"

/* What is too many, and what would be but for something that speaks for it. */
struct ckpt_retain {
	struct ckpt_set **doomed; /* borrowed from the resolution's catalog; the array is owned */
	size_t n;
	uint64_t bytes; /* of these */
	size_t spared;
};

/*
 * Finds what @keep leaves too many of what @res, the decision on @req, found. 0, or an errno with
 * @err: nothing may be removed then. That no other job is at work there is the caller's to ask.
 */
int ckpt_retain_plan(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		     const struct ckpt_keep *keep, struct ckpt_resolution *res,
		     struct ckpt_retain *ret, struct ckpt_error *err);

/*
 * Removes what @plan found, oldest first, and notes it in the ledgers of the run, as done by the
 * attempt of @by. Returns how many are gone; *@err holds why others are not.
 */
size_t ckpt_retain_remove(const struct ckpt_resolution *res, const struct ckpt_request *by,
			  const struct ckpt_retain *plan, struct ckpt_error *err);

/*
 * Both for the attempt of @req that runs, by its own --ckpt-keep. How many are gone, or an errno
 * (also where the run in the directories is not that of @req, or another job is at work
 * there) with @err.
 */
int ckpt_retain(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_error *err);

/* Frees what @plan owns. */
void ckpt_retain_done(struct ckpt_retain *plan);
#define _cleanup_retain_ _cleanup_(ckpt_retain_done)

#endif
