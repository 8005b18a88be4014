/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of an attempt, told by the epilog: see settle.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/catalog/order.h"
#include "core/record/epoch_info.h"
#include "core/record/ledger.h"
#include "core/resolve/events.h"
#include "core/resolve/settle.h"
#include "core/resolve/trail.h"

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

static int append_end(const struct ckpt_request *req, struct ckpt_resolution *res,
		      struct ckpt_error *err)
{
	_cleanup_json_ cJSON *entry = ckpt_event_end(req, res);
	int recorded = 0, r = -ENOENT;

	for (int i = 0; entry && i < res->roots.n; i++) {
		_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, res->roots.dir[i], err);
		_cleanup_close_ int statefd = dirfd < 0 ? dirfd : ckpt_state_open(dirfd, err);

		r = statefd < 0 ? statefd : ckpt_ledger_append(statefd, entry, err);
		recorded += r == 0;
	}
	return recorded ? 0 : r;
}

int ckpt_record_end(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_decision *ret,
		    struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_free_ struct ckpt_request *next = malloc(sizeof(*next));
	int r;

	if (!next)
		return -ENOMEM;
	*next = *req;
	next->attempt++; /* what the next attempt would find */
	next->repin = 0;
	r = ckpt_resolve(ctx, next, &res, err);
	if (r < 0)
		return r;
	if (!res.state.have_mark)
		return ckpt_fail(err, -ENOENT, "no mark of the run in %s: nothing recorded",
				 res.roots.dir[0]);
	write_epoch_info(ctx, req, &res);
	r = append_end(req, &res, err);
	*ret = res.decision;
	ret->attempt = req->attempt;
	return r;
}
