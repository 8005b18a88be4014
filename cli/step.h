/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which task of a step this process is. A batch script is none: it has SLURM_PROCID=0, and no step
 * or one of the ids above all of srun's (slurm.h: SLURM_MAX_NORMAL_STEP_ID).
 */
#ifndef CKPT_CLI_STEP_H
#define CKPT_CLI_STEP_H

#include <stdbool.h>
#include <stdint.h>

struct ckpt_cli_step {
	int64_t id, tasks, rank; /* rank: 0 to tasks - 1 */
};

/* By the environment that srun gives its tasks, which a job that is submitted from inside of one
 * inherits in part. False where this is no task. */
bool ckpt_cli_step_read(struct ckpt_cli_step *ret);

#endif
