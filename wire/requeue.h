/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --ckpt-requeue=LIST: after which ends a job is put back into the queue where Slurm would not do
 * so of its own. What Slurm does of its own is not for the list to forbid (sbatch --no-requeue is).
 */
#ifndef CKPT_WIRE_REQUEUE_H
#define CKPT_WIRE_REQUEUE_H

#include <stdbool.h>
#include <stdint.h>

enum ckpt_requeue_cause {
	CKPT_REQUEUE_PREEMPT = 1, /* ended in the grace time of a preemption, whatever the code */
	CKPT_REQUEUE_TIME_LIMIT = 2, /* ended by its time limit */
	CKPT_REQUEUE_NODE_FAIL = 4,  /* Slurm's own doing; changes nothing */
	CKPT_REQUEUE_STALL = 8,	     /* the companion's */
};

/* A parsed list. */
struct ckpt_requeue {
	unsigned causes;   /* enum ckpt_requeue_cause, added up */
	uint64_t codes[4]; /* exit codes, a bit each */
};

/* What a job has that gives no list. */
#define CKPT_REQUEUE_DEFAULT "preempt,node-fail,stall"

/* Attempts in a row that may fail without a new valid checkpoint before the job is held. */
#define CKPT_REQUEUE_FAULTS 3
/* Attempts that may fail in the same way at the same checkpoint, whatever lies between them. */
#define CKPT_REQUEUE_REPEATS 6

/*
 * Parses @list: preempt, time-limit, node-fail, stall, exit:N[,N...] (1 to 255) with commas
 * between, or none; empty is CKPT_REQUEUE_DEFAULT. NULL with *@ret (which may be NULL) filled, or
 * what is wrong with the list; *@ret is untouched then.
 */
const char *ckpt_requeue_parse(const char *list, struct ckpt_requeue *ret);

/*
 * The word for why an attempt ended that we requeued, or were about to, for @why ("stall",
 * "time-limit"; "" or another word: we did not), where Slurm has it as ended by @cause: "stalled",
 * "time-limit", or @cause. Slurm's own doing (cancelled, preempted, its time limit, a lost node, no
 * memory) stands; how a program leaves at our signal, and that the job was requeued, say less than
 * we know.
 */
const char *ckpt_requeue_cause(const char *why, const char *cause);

/* True if the exit code @code is in the list. */
bool ckpt_requeue_has_code(const struct ckpt_requeue *requeue, int64_t code);

#endif
