/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which processes of a job a signal is sent to so that each program gets it once: srun passes some
 * signals on to all tasks of its step, also to those of this node, and ends the step at others.
 */
#ifndef CKPT_CORE_WATCH_TARGETS_H
#define CKPT_CORE_WATCH_TARGETS_H

#include "core/watch/procs.h"

/* Who brings the signal to the tasks of steps. */
enum ckpt_targets_by {
	CKPT_TARGETS_DIRECT, /* we: all of them are here, or none is */
	CKPT_TARGETS_SRUN,   /* their srun, which passes it on to all nodes */
	CKPT_TARGETS_SLURM,  /* slurmctld: some may be elsewhere, and srun would not pass it on */
};

/* What brings signal @number to the tasks. */
enum ckpt_targets_by ckpt_targets_choose(const struct ckpt_procs *procs, int number);

/* True where @p of @procs is to be sent signal @number by us. */
bool ckpt_targets_has(const struct ckpt_procs *procs, const struct ckpt_proc *p, int number,
		      enum ckpt_targets_by by);

/* True where @p of @procs has a step that lives as long as @p: srun, but not the child of it that
 * waits for its death. */
bool ckpt_targets_is_srun(const struct ckpt_procs *procs, const struct ckpt_proc *p);

#endif
