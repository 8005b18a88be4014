/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What slurmd says of the job in a hook's environment: the rows that slurmd fills itself, strictly
 * parsed. (SPANK_* is the user's and is read by wire/request.)
 */
#ifndef CKPT_HOOKS_JOB_H
#define CKPT_HOOKS_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/error.h"

/* Texts are borrowed from the environment. */
struct ckpt_hook_job {
	int64_t id, attempt; /* attempt: SLURM_JOB_RESTART_COUNT */
	int64_t leader;	     /* of a heterogeneous job's components: the first one's id; else 0 */
	uid_t uid;
	gid_t gid;
	const char *user, *work_dir, *cluster, *node;
	const char *partition, *nodes; /* "" where slurmd does not know */
	const char *exit_code;	       /* SLURM_JOB_EXIT_CODE2, "" in the prolog */
	int64_t num_nodes;	       /* 0 where slurmd does not know */
};

enum ckpt_hook_job_result {
	CKPT_HOOK_JOB_BARE =
		1,	    /* a message without a credential (slurmctld does not know the job) */
	CKPT_HOOK_JOB_ROOT, /* a job of uid 0: never acted for */
};

/* Reads the environment. 0, or a verdict with the reason in @err. */
int ckpt_hook_job_read(struct ckpt_hook_job *ret, struct ckpt_error *err);

/*
 * The first node of the hostlist @list ("n[3-5,8],m1" gives "n3"), where Slurm starts the batch
 * script, into @buf of
 * @size bytes. False, and "", for a list that is empty, malformed or too long.
 */
bool ckpt_hook_first_node(const char *list, char *buf, size_t size);

/* True if the batch script of @job starts on this node: never one of a heterogeneous job's later
 * components, which have job ids and nodes of their own. */
bool ckpt_hook_job_is_batch_host(const struct ckpt_hook_job *job);

#endif
