/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping the lease of one run directory for a running attempt: each step reads what is there, and
 * takes it, renews it, or stands aside. An attempt whose job has begun a later one has lost it;
 * nothing that could not be read ever means that.
 */
#ifndef CKPT_CORE_WATCH_HOLDING_H
#define CKPT_CORE_WATCH_HOLDING_H

#include "core/record/lease.h"

enum ckpt_holding_state {
	CKPT_HOLDING_HELD,  /* ours, and its counter has moved */
	CKPT_HOLDING_ASIDE, /* another job's, which may live: not ours to take */
	CKPT_HOLDING_BLIND, /* could not be read or written now */
	CKPT_HOLDING_LOST,  /* a later attempt of our job has it, and took it from us or lives */
};

/* One lease that is kept; zero-initialised. */
struct ckpt_holding {
	bool held; /* it was ours, as of the last step that saw it */
	int found; /* what the last look answered: ckpt_lease_load() */
	bool has_owner;
	uid_t owner;		       /* of the file that we wrote: who may take it from us */
	struct ckpt_lease_sight sight; /* of another job's */
	int64_t garbage_ns;	       /* since when no lease is what is there; 0: it is one */
};

/*
 * One step at @now_ns (CLOCK_MONOTONIC). @mine is signed and has its job, node and run; its counter
 * is moved. *@ret_other is whose it is where the answer is ASIDE or LOST.
 */
enum ckpt_holding_state ckpt_holding_step(struct ckpt_holding *keep, int statefd,
					  struct ckpt_lease *mine, int64_t now_ns,
					  struct ckpt_lease *ret_other);

#endif
