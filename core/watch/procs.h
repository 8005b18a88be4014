/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of a job on this node, as /proc shows them to their own user: the descendants of
 * its batch task, and whatever has the job's number in its environment (the tasks of srun); but not
 * where its SLURM_CONF is another than the batch task's, since other clusters have that number too.
 */
#ifndef CKPT_CORE_WATCH_PROCS_H
#define CKPT_CORE_WATCH_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CKPT_PROCS_MAX 4096 /* that are looked at; the others are counted by nobody */

struct ckpt_proc {
	pid_t pid, parent;
	uid_t uid;
	char state;	  /* R, S, D, T, Z ... */
	bool ours;	  /* of the job */
	bool step;	  /* a task of a step, or below one; not of the batch script's own */
	int64_t cpu_ns;	  /* user and system time, with that of its children that were waited for */
	uint64_t caught;  /* signals that it has a handler for, or waits for blocked: bit N - 1 */
	char command[32]; /* cleaned */
};

/* Sorted by pid. */
struct ckpt_procs {
	struct ckpt_proc *p;
	size_t n, cap;
	bool one_node; /* the batch task's environment says that the job has no other node */
};

/* Whose they are. */
struct ckpt_procs_job {
	const char *proc; /* "/proc"; tests have another */
	pid_t task;	  /* the batch task */
	int64_t job_id;
	/* NULL, or "CKPT_ATTEMPT=N": one that is no descendant of the task has to have it too. On
	 * one machine a later attempt of the job may run beside the earlier one. */
	const char *attempt;
};

/*
 * Lists the processes of the job that belong to the caller's user, in *@ret; ckpt_procs_done().
 * Processes that end meanwhile are left out. 0, or an errno where @job->proc cannot be read.
 */
int ckpt_procs_list(const struct ckpt_procs_job *job, struct ckpt_procs *ret);

/* Processor time of all of them. */
int64_t ckpt_procs_cpu(const struct ckpt_procs *procs);

/* True if @p would do something of its own at signal @number. */
bool ckpt_proc_catches(const struct ckpt_proc *p, int number);

/* True while @pid is there and is no corpse, which waits for its parent. */
bool ckpt_proc_lives(const char *proc, pid_t pid);

/* What @pid is waiting for, in words for a person: "wchan futex_wait_queue, syscall 202", cleaned,
 * into @buf of @size bytes. What cannot be read is left out. Returns @buf. */
const char *ckpt_proc_waits(const char *proc, pid_t pid, char *buf, size_t size);

/* Frees it. */
void ckpt_procs_done(struct ckpt_procs *procs);
#define _cleanup_procs_ _cleanup_(ckpt_procs_done)

#endif
