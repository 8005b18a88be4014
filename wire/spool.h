/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool of one attempt on one slurmd: SPOOL/CLUSTER/NODENAME/JOBID/, root-owned 0700. Written
 * by the prolog (attempt, decision) and by the step's plugin (status); believed only for a matching
 * attempt and boot. Every component is opened with O_NOFOLLOW, must belong to the euid and be
 * closed to others; names are digits and [A-Za-z0-9_.-]; files are at most CKPT_FRAME_MAX bytes,
 * written by temporary and rename.
 */
#ifndef CKPT_WIRE_SPOOL_H
#define CKPT_WIRE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/decision.h"
#include "wire/error.h"

/* Where a job's spool lies. Strings are borrowed. */
struct ckpt_spool_key {
	const char *root;    /* SpoolDir= */
	const char *cluster; /* SLURM_CLUSTER_NAME */
	const char *node;    /* SLURMD_NODENAME */
	int64_t job_id;
};

/* What the spool says of an attempt. */
struct ckpt_spool_state {
	int64_t attempt;
	bool this_boot;	   /* written since this host booted */
	bool started;	   /* the batch step came as far as this plugin */
	bool has_decision; /* *decision is filled and checked */
	bool has_status;   /* batch_status is the raw wait status of the batch task */
	bool refused;	   /* the batch task ended in task_init by our own refusal */
	int64_t batch_status;
};

/* Makes the directory anew for @attempt, emptying what an earlier attempt left. 0 or an errno with
 * @err. */
int ckpt_spool_begin(const struct ckpt_spool_key *key, int64_t attempt, struct ckpt_error *err);

/* Stores the prolog's decision. 0 or an errno (ENOENT: no spool was begun). */
int ckpt_spool_put_decision(const struct ckpt_spool_key *key, const struct ckpt_decision *d,
			    struct ckpt_error *err);

/* Notes that the batch step of what was begun is there: its stepd, if no status follows, was lost.
 * 0 or an errno (ENOENT: no spool was begun). */
int ckpt_spool_put_started(const struct ckpt_spool_key *key, struct ckpt_error *err);

/* Stores the batch task's raw wait status for @attempt; makes the directory where no prolog did. */
int ckpt_spool_put_status(const struct ckpt_spool_key *key, int64_t attempt, int64_t status,
			  bool refused, struct ckpt_error *err);

/*
 * Reads all of it. @d may be NULL. 0; -ENOENT when there is no spool of this job; -EBADMSG when a
 * file is torn or foreign; else an errno. A decision that fails ckpt_decision_check() or whose
 * attempt or job differs from the directory's counts as absent.
 */
int ckpt_spool_read(const struct ckpt_spool_key *key, struct ckpt_spool_state *ret,
		    struct ckpt_decision *d, struct ckpt_error *err);

/* Removes the job's directory; a missing one is fine. */
int ckpt_spool_remove(const struct ckpt_spool_key *key, struct ckpt_error *err);

/* Removes job directories beside @key's that are older than @age_s seconds, at most 64 a call. */
void ckpt_spool_sweep(const struct ckpt_spool_key *key, int64_t age_s);

#endif
