/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of an attempt, told by the epilog: see settle.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/catalog/order.h"
#include "core/record/epoch_info.h"
#include "core/record/ledger.h"
#include "core/resolve/events.h"
#include "core/resolve/settle.h"
#include "core/resolve/tally.h"
#include "core/resolve/trail.h"
#include "wire/requeue.h"

/* epoch_info.json of the newest valid checkpoint's directory, where no program keeps it itself. */
static void write_epoch_info(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			     struct ckpt_resolution *res)
{
	const struct ckpt_set *set = res->chosen;
	_cleanup_close_ int dirfd = -1;
	struct ckpt_epoch_record record = {
		.has_last = res->epochs.has_completed,
		.last_completed_epoch = res->epochs.completed,
		.reason = req->reason,
		.job_id = req->job_id,
		.attempt = req->attempt,
	};
	struct ckpt_error err = { 0 };

	if (!set || strcmp(res->decision.mode, "resume") != 0)
		return;
	record.position = ckpt_order_position(set);
	record.checkpoint = set->name;
	dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	if (dirfd >= 0 && ckpt_epoch_info_write(ctx, dirfd, &record, &err) < 0)
		ckpt_resolution_warn(res, "%s", err.text);
}

int ckpt_resolve_next(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		      struct ckpt_request *next, struct ckpt_resolution *res,
		      struct ckpt_error *err)
{
	int r;

	*next = *req;
	next->attempt++;
	next->repin = 0;
	next->status_known = 1;
	r = ckpt_resolve(ctx, next, res, err);
	if (r == 0 && !res->state.have_mark)
		return ckpt_fail(err, -ENOENT, "no mark of the run in %s: nothing recorded",
				 res->roots.dir[0]);
	return r;
}

int ckpt_record_checkpoint(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			   const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_free_ struct ckpt_request *mine = malloc(sizeof(*mine));
	_cleanup_free_ struct ckpt_request *next = malloc(sizeof(*next));
	_cleanup_json_ cJSON *entry = NULL;
	int r;

	if (!mine || !next)
		return -ENOMEM;
	*mine = *req;
	ckpt_text_copy(mine->reason, sizeof(mine->reason), "running");
	/* what was proved has its seal; the rest is the next start's to prove */
	ckpt_text_copy(mine->verify, sizeof(mine->verify), "structure");
	r = ckpt_resolve_next(ctx, mine, next, &res, err);
	if (r < 0)
		return r;
	write_epoch_info(ctx, mine, &res);
	entry = ckpt_event_checkpoint(req, &res, set);
	return ckpt_event_append(&res.roots, entry, err);
}

/* True if it counts once it is requeued for the time limit, which the epilog decides by this. */
static bool ran_out(const struct ckpt_past_attempt *row)
{
	return row && strcmp(row->cause, "time-limit") == 0 && !row->why[0] &&
	       !ckpt_past_progressed(row);
}

/* What the ledger, with this end in it, makes of the attempt. */
static void fill_account(const struct ckpt_request *req, struct ckpt_resolution *res,
			 const cJSON *end, struct ckpt_decision *ret)
{
	struct ckpt_past *past = &res->state.past;
	const struct ckpt_past_attempt *row;

	ckpt_past_take(past, end);
	row = ckpt_past_find(past, req->attempt);
	ret->progress = row && ckpt_past_progressed(row);
	ret->faults = ckpt_past_faults(past, req->attempt) + ran_out(row);
	ret->repeats = ckpt_past_repeats(past, req->attempt);
	ret->restarts = ckpt_past_restarts(past, req->attempt);
}

/* When the attempt of @req was decided, by the file of its decision; 0 where that is not known. */
static int64_t begun_s(const struct ckpt_request *req, const struct ckpt_resolution *res)
{
	struct ckpt_identity id;
	char name[CKPT_SETTLE_NAME];
	int64_t begun = 0;

	ckpt_settle_name(req, name);
	for (int i = 0; i < res->roots.n; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(res->roots.dir[i], NULL);

		if (statefd >= 0 && ckpt_identity_at(statefd, name, false, &id) == 0 &&
		    id.mtime_ns / CKPT_SECOND_NS > begun)
			begun = id.mtime_ns / CKPT_SECOND_NS;
	}
	return begun;
}

/* The time, about, that the attempt worked behind the checkpoint that the next one starts from. */
static int64_t lost_s(const struct ckpt_request *req, const struct ckpt_resolution *res)
{
	int64_t since = begun_s(req, res), lost;

	if (!since || req->finished)
		return 0;
	if (res->chosen && res->chosen->report->identity.mtime_ns / CKPT_SECOND_NS > since)
		since = res->chosen->report->identity.mtime_ns / CKPT_SECOND_NS;
	lost = (int64_t)time(NULL) - since;
	return lost < 0 || lost > INT32_MAX ? 0 : lost;
}

/*
 * Before the companion signals a program that is stuck or at its limit, it notes that the job is to
 * be requeued. A program that saves then and leaves with 0 takes the companion along where Slurm
 * keeps the job in a control group: it has not finished, whatever its exit code, and the epilog
 * requeues it.
 */
static void heed_companion(struct ckpt_request *req, const struct ckpt_resolution *res,
			   struct ckpt_decision *ret)
{
	const struct ckpt_past_attempt *row = ckpt_past_find(&res->state.past, req->attempt);
	const char *why = row ? row->why : "";
	const char *cause = ckpt_requeue_cause(why, req->reason);
	bool noted = strcmp(why, "stall") == 0 || strcmp(why, "time-limit") == 0;

	if (!noted)
		return;
	req->finished = 0;
	if (cause != req->reason)
		ckpt_text_copy(req->reason, sizeof(req->reason), cause);
	if (!res->state.done) /* its script has declared the end */
		ckpt_text_copy(ret->wanted, sizeof(ret->wanted), why);
}

static int record_end(struct ckpt_ctx *ctx, struct ckpt_request *req, struct ckpt_decision *ret,
		      struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_free_ struct ckpt_request *next = malloc(sizeof(*next));
	_cleanup_json_ cJSON *entry = NULL;
	int r;

	if (!next)
		return -ENOMEM;
	r = ckpt_resolve_next(ctx, req, next, &res, err);
	if (r < 0)
		return r;
	*ret = res.decision;
	heed_companion(req, &res, ret);
	write_epoch_info(ctx, req, &res);
	entry = ckpt_event_end(req, &res);
	r = ckpt_event_append(&res.roots, entry, err);
	ret->attempt = req->attempt;
	ckpt_tally(&res, ret);
	ret->lost_s = lost_s(req, &res);
	if (entry)
		fill_account(req, &res, entry, ret);
	return r;
}

int ckpt_record_end(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_decision *ret,
		    struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_request *mine = malloc(sizeof(*mine));

	if (!mine)
		return -ENOMEM;
	*mine = *req;
	return record_end(ctx, mine, ret, err);
}

int ckpt_record_note(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		     struct ckpt_decision *ret, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_json_ cJSON *note = NULL;
	int r = ckpt_resolve_place(ctx, req, &res, err);

	if (r < 0)
		return r;
	if (!res.state.ours)
		return ckpt_fail(err, -ENOENT, "no mark of this job's run in %s", res.roots.dir[0]);
	note = ckpt_event_note(req, res.state.mark.run);
	r = note ? ckpt_event_append(&res.roots, note, err) : -ENOMEM;
	*ret = res.decision;
	ckpt_text_copy(ret->mode, sizeof(ret->mode), "fresh");
	return r;
}
