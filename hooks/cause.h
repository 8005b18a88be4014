/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why an attempt ended: from the epilog's environment, the spool and, where those leave it open,
 * slurmctld's answer. A pure function over one table.
 */
#ifndef CKPT_HOOKS_CAUSE_H
#define CKPT_HOOKS_CAUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/field.h"

/* What ckpt-jobinfo says of a job: one line of "key=value" words, wire keys as the members' names.
 */
struct ckpt_jobinfo {
	int64_t job;
	char state[24]; /* "pending", "completed", ...: Slurm's base state; "other" for a new one */
	int64_t completing; /* 1: its epilogs are not all done */
	int64_t restart;    /* restart count now */
	int64_t preempt;    /* time of a preemption under way, 0 = none */
	int64_t array_job;  /* 0: no array task */
	int64_t array_task;
	char name[256]; /* the job's name where it is a plain word */
	char host[256]; /* where the batch script runs or ran; "" for none */
	char held[16];	/* "max-requeue", "admin", "user", "other"; "" for a job that is not held */
	int64_t no_requeue; /* 1: Slurm never puts it back into the queue (--no-requeue) */
	int64_t commented;  /* 1: it has a comment of its user */
	int64_t end;	    /* 1: the line is whole */
};

extern const struct ckpt_fields ckpt_jobinfo_fields;

enum ckpt_cause {
	CKPT_CAUSE_UNKNOWN,
	CKPT_CAUSE_FINISHED,
	CKPT_CAUSE_EXIT_CODE,
	CKPT_CAUSE_SIGNAL,
	CKPT_CAUSE_OOM,
	CKPT_CAUSE_CANCELLED,
	CKPT_CAUSE_TIME_LIMIT,
	CKPT_CAUSE_PREEMPTED,
	CKPT_CAUSE_REQUEUED,
	CKPT_CAUSE_NODE_FAIL,
	CKPT_CAUSE_STALLED, /* by its companion alone: ckpt_cause_noted() */
};

/* What the epilog of one node knows. */
struct ckpt_cause_facts {
	int64_t attempt;       /* the spool's */
	int64_t count;	       /* SLURM_JOB_RESTART_COUNT of the epilog */
	const char *exit_code; /* SLURM_JOB_EXIT_CODE2, "CODE:SIGNAL"; "" when absent */
	int64_t batch_status;  /* raw wait status of the batch task */
	int64_t num_nodes;     /* of the job; 0 = not known */
	bool plain_zero; /* one with 0 counts without an answer: no grace, no wish hangs on it */
	bool this_boot;	 /* the spool is of this boot */
	const struct ckpt_jobinfo *info; /* NULL: not asked, or no answer */
};

struct ckpt_cause_finding {
	enum ckpt_cause cause;
	bool certain;  /* nothing that slurmctld could say would change it */
	bool finished; /* the job's work is done: ended with 0, and Slurm has it as completed */
	bool ours; /* this attempt is over and no other runs: the run directory may be recorded */
};

/*
 * Decides. Call it first without info; if the finding is not certain, ask slurmctld and call it
 * again. Counts that are neither equal nor one apart give unknown, certain, not ours.
 */
struct ckpt_cause_finding ckpt_cause_find(const struct ckpt_cause_facts *facts);

/* @cause, where the companion noted that the job is to be requeued for @why ("stall", "time-limit";
 * "": it did not): as ckpt_requeue_cause() has it. */
enum ckpt_cause ckpt_cause_noted(enum ckpt_cause cause, const char *why);

/* The word of @cause for the ledger and CKPT_RESUME_REASON: "preempted", "exit-code", ... */
const char *ckpt_cause_name(enum ckpt_cause cause);

#endif
