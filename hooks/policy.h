/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a job after an attempt: one pure function over one table. It adds to what Slurm
 * does of its own, and holds what would start again and again for nothing. Whatever it says is done
 * only to a job that slurmctld shows to be ending on this node, in this attempt, not cancelled.
 */
#ifndef CKPT_HOOKS_POLICY_H
#define CKPT_HOOKS_POLICY_H

#include "hooks/cause.h"
#include "wire/requeue.h"

enum ckpt_policy_action {
	CKPT_POLICY_NOTHING,
	CKPT_POLICY_REQUEUE,
	CKPT_POLICY_HOLD,    /* requeue and hold, or hold where it waits already */
	CKPT_POLICY_RELEASE, /* undo Slurm's own hold */
};

struct ckpt_policy_facts {
	enum ckpt_cause cause;
	const struct ckpt_requeue *wants; /* the job's list */
	const struct ckpt_jobinfo *info;  /* slurmctld's answer; NULL: none, and so nothing */
	const char *node;		  /* this one */
	int64_t attempt;
	int64_t batch_status; /* raw */
	const char *wanted;   /* why its companion wanted it requeued, "stall" or "time-limit"; NULL
				 or "": it did not */
	bool recorded;	      /* the ledger has the attempt's end: the agent said so */
	bool progress;	      /* the attempt left a new valid checkpoint */
	int64_t faults, repeats, restarts; /* as struct ckpt_decision has them */
	int64_t own_max;		   /* --ckpt-max-restarts; 0 = none */
	int64_t site_max;		   /* MaxRestarts=; 0 = none */
};

#define CKPT_POLICY_REASON 160

struct ckpt_policy {
	enum ckpt_policy_action action;
	const char *why; /* a word for the ledger: preempt, time-limit, stall, exit; NULL with
			    NOTHING */
	bool go_on;	 /* a hold that its owner may release, and then it starts */
	char reason[CKPT_POLICY_REASON]; /* of a hold, or of a requeue that was due and is not made;
					    else empty */
};

/* Decides. */
struct ckpt_policy ckpt_policy_decide(const struct ckpt_policy_facts *facts);

#endif
