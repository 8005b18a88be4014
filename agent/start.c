/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-agent's resolve. Of two jobs that start in one run directory at the same moment one must see
 * the other: the lease is taken before the decision is made, and moved and looked at after; whoever
 * finds another's then stands back. Where nothing is there yet to put it into, that is made once
 * the decision is.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/agent.h"
#include "core/resolve/settle.h"
#include "core/resolve/sharing.h"
#include "core/resolve/trail.h"
#include "wire/frame.h"

#define ROUNDS 4 /* of standing back for somebody who starts at the same time */

/* What a round answers besides 0 and an errno. */
enum { ROUND_AGAIN = 1 };

void ckpt_call_start_clock(struct ckpt_call *call)
{
	call->started_ns = call->told_ns = ckpt_frame_now_ns();
	if (call->req.budget_ms > 0)
		call->ctx.deadline_ns = call->started_ns + call->req.budget_ms * 1000000;
}

static int fetch_and_go_on(struct ckpt_call *call, struct ckpt_resolution *res,
			   struct ckpt_error *err)
{
	char dir[CKPT_PATH_MAX];
	int r = ckpt_fetch(&res->config, res->run_dirs[0], dir, err);

	if (r == CKPT_FETCH_FAILED) {
		ckpt_resolution_warn(res, "%s", err->text);
		return 0;
	}
	return r < 0 ? r : ckpt_resolve_fetched(&call->ctx, &call->req, res, dir, err);
}

/* A hook hands on nothing but a proved resume; anything else is the step's to decide. */
static int hook_may_hand_on(const struct ckpt_resolution *res, struct ckpt_error *err)
{
	if (strcmp(res->decision.mode, "resume") != 0)
		return ckpt_fail(err, -EAGAIN, "left to the step: %s", res->decision.line);
	if (res->unproved)
		return ckpt_fail(err, -EAGAIN, "left to the step: the budget cut the check off");
	if (res->unreadable)
		return ckpt_fail(err, -EAGAIN,
				 "left to the step: %zu checkpoints could not be read",
				 res->unreadable);
	return 0;
}

static int resolve_in_hook(struct ckpt_call *call, struct ckpt_sharing *sharing,
			   struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	int r;

	if (ckpt_sharing_is_taken(sharing))
		return ckpt_fail(err, -EAGAIN, "left to the step: another job's lease lies there");
	r = ckpt_resolve(&call->ctx, &call->req, &res, err);
	if (r == 0)
		r = hook_may_hand_on(&res, err);
	if (r < 0)
		return r;
	ckpt_settle(&call->ctx, &call->req, &res);
	call->answer = res.decision;
	return 0;
}

static bool is_start(const struct ckpt_resolution *res)
{
	return strcmp(res->decision.mode, "refused") != 0 &&
	       strcmp(res->decision.mode, "done") != 0;
}

/* The other job is still there: that is this attempt's decision. */
static int stand_back(struct ckpt_call *call, const struct ckpt_sharing *sharing,
		      struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	int r = ckpt_resolve_place(&call->ctx, &call->req, &res, err);

	if (r < 0)
		return r;
	ckpt_sharing_refuse(sharing, &res);
	ckpt_settle(&call->ctx, &call->req, &res);
	call->answer = res.decision;
	return 0;
}

/* Takes the lease, if the request wants one, or shows that we live; true if somebody else's lies
 * there: ours is let go then. */
static bool has_rival(const struct ckpt_call *call, struct ckpt_sharing *sharing, bool make)
{
	if (!call->req.lease)
		return false;
	ckpt_sharing_claim(sharing, make);
	if (strcmp(call->req.share, "yes") == 0 || !ckpt_sharing_is_taken(sharing))
		return false;
	ckpt_sharing_release(sharing);
	return true;
}

/* Moves the counter while a decision and what follows it take their time: a fetch, a large
 * checkpoint, the second read of what goes into quarantine. */
struct mover {
	struct ckpt_sharing *sharing;
	pthread_t thread;
	int stop; /* an eventfd; -1: none runs */
};

static void *move(void *arg)
{
	const struct mover *mover = arg;
	struct pollfd stop = { .fd = mover->stop, .events = POLLIN };

	while (poll(&stop, 1, (int)(CKPT_LEASE_RENEW_NS / 1000000)) == 0)
		ckpt_sharing_claim(mover->sharing, false);
	return NULL;
}

static void mover_start(struct mover *mover, const struct ckpt_call *call,
			struct ckpt_sharing *sharing)
{
	if (!call->req.lease)
		return;
	mover->sharing = sharing;
	mover->stop = eventfd(0, EFD_CLOEXEC);
	if (mover->stop >= 0 && pthread_create(&mover->thread, NULL, move, mover) != 0) {
		close(mover->stop);
		mover->stop = -1;
	}
}

static void mover_stop(struct mover *mover)
{
	if (mover->stop < 0)
		return;
	eventfd_write(mover->stop, 1);
	pthread_join(mover->thread, NULL);
	close(mover->stop);
	mover->stop = -1;
}

/* Decides under a lease that lies there, as far as one could be put. ROUND_AGAIN: somebody else's
 * does now. */
static int decide(struct ckpt_call *call, struct ckpt_sharing *sharing, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct mover mover = { .stop = -1 };
	int r;

	if (has_rival(call, sharing, false))
		return ROUND_AGAIN;
	mover_start(&mover, call, sharing);
	r = ckpt_resolve(&call->ctx, &call->req, &res, err);
	if (r == 0 && res.wants_fetch)
		r = fetch_and_go_on(call, &res, err);
	mover_stop(&mover);
	if (r < 0 || !is_start(&res))
		ckpt_sharing_release(sharing);
	if (r < 0)
		return r;
	if (is_start(&res) && has_rival(call, sharing, res.first))
		return ROUND_AGAIN;
	if (is_start(&res))
		mover_start(&mover, call, sharing);
	ckpt_settle(&call->ctx, &call->req, &res);
	mover_stop(&mover);
	call->answer = res.decision;
	return 0;
}

static void say(void *arg, const char *text)
{
	(void)arg;
	dprintf(STDERR_FILENO, "ckpt-resume: %s\n", text);
}

static int resolve_in_step(struct ckpt_call *call, struct ckpt_sharing *sharing,
			   struct ckpt_error *err)
{
	int r = ROUND_AGAIN;

	call->ctx.recall_chosen = true; /* the job is going to read it */
	sharing->say = say;
	for (int i = 0; i < ROUNDS && r == ROUND_AGAIN; i++) {
		if (ckpt_sharing_await(&call->ctx, sharing, &call->req) == CKPT_SHARING_BUSY)
			return stand_back(call, sharing, err);
		ckpt_call_start_clock(call); /* a wait is no part of the budget */
		r = decide(call, sharing, err);
	}
	return r == ROUND_AGAIN ? stand_back(call, sharing, err) : r;
}

int ckpt_call_resolve(struct ckpt_call *call, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));

	if (!sharing)
		return -ENOMEM;
	ckpt_sharing_init(sharing, &call->req); /* where there is no place, there is no lease */
	return call->req.in_hook ? resolve_in_hook(call, sharing, err)
				 : resolve_in_step(call, sharing, err);
}

int ckpt_call_claim(struct ckpt_call *call, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));

	if (!sharing)
		return -ENOMEM;
	ckpt_sharing_init(sharing, &call->req);
	if (has_rival(call, sharing, false))
		return ckpt_fail(err, -EBUSY, "another job's lease lies there");
	ckpt_text_copy(call->answer.mode, sizeof(call->answer.mode), "fresh");
	ckpt_text_copy(call->answer.line, sizeof(call->answer.line), "the lease is this job's");
	return 0;
}

int ckpt_call_settle(struct ckpt_call *call, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	struct mover mover = { .stop = -1 };
	int r;

	if (!sharing)
		return -ENOMEM;
	ckpt_sharing_init(sharing, &call->req);
	sharing->claims = 1; /* op claim's */
	mover_start(&mover, call, sharing);
	call->ctx.recall_chosen = !call->req.in_hook;
	r = ckpt_resolve(&call->ctx, &call->req, &res, err);
	if (r == 0)
		ckpt_settle_pointers(&call->ctx, &call->req, &res);
	mover_stop(&mover);
	call->answer = res.decision;
	return r;
}

void ckpt_call_release(const struct ckpt_call *call)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));

	if (sharing && ckpt_sharing_init(sharing, &call->req) == 0)
		ckpt_sharing_release(sharing);
}
