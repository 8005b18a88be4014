/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follows a decision on disk: the mark of attempt 0, the decision's JSON and ledger entry,
 * and, in the step only, aligned pointers (law 9) and quarantine (law 7). Runs as the user. What
 * cannot be written is said in the decision's warning and never undoes the decision, except that a
 * run whose mark cannot be left anywhere says so plainly: its next attempt could not tell an empty
 * directory from a lost mount.
 */
#ifndef CKPT_CORE_RESOLVE_SETTLE_H
#define CKPT_CORE_RESOLVE_SETTLE_H

#include "core/resolve/resolve.h"

/* Cluster of a run that no scheduler numbers (its job number is 0): there is one such run a
 * directory. */
#define CKPT_LOCAL_CLUSTER "local"

/* Bytes of a decision file's name with its NUL. */
#define CKPT_SETTLE_NAME 160

/* Writes the name of the decision file of @req's attempt to @buf of CKPT_SETTLE_NAME bytes. */
void ckpt_settle_name(const struct ckpt_request *req, char *buf);

/* All of it, as far as @req's place allows (in_hook: no mark, no alignment, no renames, nothing
 * created). */
void ckpt_settle(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *res);

/*
 * The alignment and quarantine alone, for a decision that a hook made: @res must have come to the
 * same one.
 */
void ckpt_settle_pointers(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			  struct ckpt_resolution *res);

/*
 * Warns of a rejected checkpoint that is still there under a name by which its program would start
 * from it (listed.h): unfinished ones are moved only where their bytes were cut short and their
 * writer is gone (law 7). Not @settled: of those alone that no start moves, whatever its policy.
 */
void ckpt_settle_say_staying(struct ckpt_resolution *res, bool settled);

/*
 * What the attempt after that of @req would decide, while that one runs or has just ended. @next
 * becomes the request of it, which @res refers to. 0; -ENOENT without a mark; or an errno.
 */
int ckpt_resolve_next(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		      struct ckpt_request *next, struct ckpt_resolution *res,
		      struct ckpt_error *err);

/*
 * The end of the attempt of @req (cause in req->reason): resolves as the next attempt would, writes
 * epoch_info.json where it is ours to write, and the ledger entry. *@ret is what the next attempt
 * would start from, with a line for the log,
 * and the attempt's account (progress, faults, repeats, restarts). 0; -ENOENT when the run has no
 * mark to record beside; or an errno.
 */
int ckpt_record_end(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_decision *ret,
		    struct ckpt_error *err);

/*
 * While the attempt of @req runs: a verdict on @set, which has its report. Writes epoch_info.json
 * where it is ours to write, as of the newest valid checkpoint, and the ledger entry. 0; -ENOENT
 * when the run has no mark to record beside; or an errno.
 */
int ckpt_record_checkpoint(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			   const struct ckpt_set *set, struct ckpt_error *err);

/*
 * Notes in the ledger what is about to be done with the job after the attempt of @req (req->note).
 * 0 with *@ret as in ckpt_record_end(), or an errno with @err: then nobody may rely on it, and it
 * must not be done.
 */
int ckpt_record_note(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		     struct ckpt_decision *ret, struct ckpt_error *err);

#endif
