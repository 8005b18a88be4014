/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See targets.h. What srun does at a signal: Slurm's src/srun/srun.c and libsrun/srun_job.c
 * (_srun_signal_mgr) of 22.05: SIGUSR1 and SIGUSR2 it passes on; at SIGTERM, SIGHUP and SIGQUIT it
 * kills the tasks, SIGINT counts as Ctrl-C, SIGCONT is noted, others are not its business. It forks
 * a child that ends the step should it die (_shepherd_spawn).
 */
#include "core/watch/targets.h"

#include <signal.h>
#include <string.h>

static const struct ckpt_proc *parent_of(const struct ckpt_procs *procs, const struct ckpt_proc *p)
{
	for (size_t i = 0; i < procs->n; i++)
		if (procs->p[i].pid == p->parent)
			return &procs->p[i];
	return NULL;
}

bool ckpt_targets_is_srun(const struct ckpt_procs *procs, const struct ckpt_proc *p)
{
	const struct ckpt_proc *parent;

	if (p->step || p->state == 'Z' || strcmp(p->command, "srun") != 0)
		return false; /* one inside of a step gets it as a task */
	parent = parent_of(procs, p);
	return !parent || strcmp(parent->command, "srun") != 0;
}

enum ckpt_targets_by ckpt_targets_choose(const struct ckpt_procs *procs, int number)
{
	bool has_srun = false;

	for (size_t i = 0; i < procs->n; i++)
		has_srun |= ckpt_targets_is_srun(procs, &procs->p[i]);
	if (procs->one_node || !has_srun)
		return CKPT_TARGETS_DIRECT;
	return number == SIGUSR1 || number == SIGUSR2 ? CKPT_TARGETS_SRUN : CKPT_TARGETS_SLURM;
}

bool ckpt_targets_has(const struct ckpt_procs *procs, const struct ckpt_proc *p, int number,
		      enum ckpt_targets_by by)
{
	if (strcmp(p->command, "srun") == 0)
		return by == CKPT_TARGETS_SRUN && ckpt_targets_is_srun(procs, p);
	if (p->step && by != CKPT_TARGETS_DIRECT)
		return false;
	return p->state != 'Z' && ckpt_proc_catches(p, number);
}
