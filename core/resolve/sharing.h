/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two jobs in one run directory: what a start does where another job's lease (core/record/lease.h)
 * lies. A lease that was released, or is of an earlier attempt of the same job, costs nothing; one
 * of another job is watched until it is seen to move, or long enough not to.
 */
#ifndef CKPT_CORE_RESOLVE_SHARING_H
#define CKPT_CORE_RESOLVE_SHARING_H

#include "core/record/lease.h"
#include "core/resolve/resolve.h"

/* Takes one line for the user. */
typedef void ckpt_sharing_say_fn(void *arg, const char *text);

/* The places where leases lie, and who is in the way at one of them. */
struct ckpt_sharing {
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	int n;
	struct ckpt_lease mine;
	struct ckpt_lease_sight sights[CKPT_REQUEST_DIRS];
	struct ckpt_lease holder; /* the last one seen in the way */
	int at;			  /* in which directory */
	int64_t claims;		  /* tries to have the lease: its counter */
	int64_t end_ns;		  /* of the job's patience, over all waits; 0: none began */
	ckpt_sharing_say_fn *say;
	void *arg;
	void (*nap)(void *arg, int64_t ns); /* NULL: sleeps; for tests with a clock of their own */
};

/* Fills the places and our own part. 0; or > 0 or an errno where the directories cannot be told:
 * then there is nothing to look at. */
int ckpt_sharing_init(struct ckpt_sharing *sharing, const struct ckpt_request *req);

/* True if another job's lease lies there that is not known to be void, nor found dead by a wait
 * before; without a wait. */
bool ckpt_sharing_is_taken(struct ckpt_sharing *sharing);

enum ckpt_sharing_result {
	CKPT_SHARING_BUSY = 1, /* the job in @sharing->holder is at work there */
};

/*
 * Watches until nobody else's lease is in the way, as @req->share says: wait, for up to
 * @req->share_wait_ms; requeue, until it is seen to move; yes, not at all, but says so. 0 or
 * CKPT_SHARING_BUSY. What cannot be read is said and is nobody's.
 */
int ckpt_sharing_await(struct ckpt_ctx *ctx, struct ckpt_sharing *sharing,
		       const struct ckpt_request *req);

/*
 * Puts our lease where nobody's live one is, and moves the counter of one that we have; @make:
 * makes directories that are missing. A lease by this has no process yet: the companion takes it
 * over. How many directories have it.
 */
int ckpt_sharing_claim(struct ckpt_sharing *sharing, bool make);

/* Marks leases of our attempt as released. */
void ckpt_sharing_release(struct ckpt_sharing *sharing);

/* Refuses the start: mode refused, CKPT_REFUSE_BUSY, holder and line. */
void ckpt_sharing_refuse(const struct ckpt_sharing *sharing, struct ckpt_resolution *res);

#endif
