/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The side of sbatch, salloc and srun. Everything here runs as the user.
 */
#ifndef CKPT_PLUGIN_SUBMIT_H
#define CKPT_PLUGIN_SUBMIT_H

#include <slurm/spank.h>

/*
 * sbatch and salloc, before any option is read: where the environment is that of a job with a
 * decision, removes the decision, its options and the restart count, so that a job submitted from
 * inside is one of its own. Elsewhere touches nothing.
 */
void ckpt_submit_drop_inherited(void);

/* sbatch and salloc, after the options: says what will keep a resume from working. Never refuses.
 */
void ckpt_submit_warn(void);

/* Puts the options given into the job record (SPANK_CKPT_*, SLURM_SPANK_CKPT_*). */
void ckpt_submit_store(spank_t sp);

/*
 * srun, the job being allocated: where the job asked and no batch script decided, decides now and
 * puts the decision into srun's own environment, which all tasks inherit. Where the tasks must not
 * start, they are told so by SLURM_SPANK_CKPT_STOP.
 */
void ckpt_submit_decide(spank_t sp, int ac, char *argv[]);

#endif
