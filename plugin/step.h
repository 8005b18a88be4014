/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The side of slurmstepd: the batch task gets its decision, srun's tasks what the batch task got.
 */
#ifndef CKPT_PLUGIN_STEP_H
#define CKPT_PLUGIN_STEP_H

#include <slurm/spank.h>

/*
 * As root, in the step's daemon: for a batch step whose job asked, reads the site's configuration
 * and the spool. Nothing else is opened, and for other steps and jobs nothing at all.
 */
void ckpt_step_begin(spank_t sp, int ac, char *argv[]);

/*
 * As the user, in the task's process just before the program: drops variables of other jobs and
 * sets those of this one. In the batch task may decide first, and does not return where the script
 * must not start.
 */
void ckpt_step_task(spank_t sp);

/* As root, after a task: the batch task's raw status goes into the spool for the epilog. */
void ckpt_step_end(spank_t sp);

#endif
