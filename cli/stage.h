/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between stage.c, which reads the command line, and stage_run.c, which runs the stage.
 */
#ifndef CKPT_CLI_STAGE_H
#define CKPT_CLI_STAGE_H

#include "cli/job.h"
#include "core/record/stages.h"

/* What `stage NAME` is asked. */
struct ckpt_cli_stage {
	const char *name, *check;
	bool wait;		 /* for another run of the same stage to end */
	struct ckpt_stage asked; /* its outputs, as they were named: not looked at yet */
	char **command;		 /* NULL-terminated */
	const struct ckpt_cli_job *job;
	const char *dir; /* where the run keeps its state */
	int statefd;
};

/* Runs the stage, or skips it: the exit code, or death by the signal that ended the command. */
int ckpt_cli_stage_run(struct ckpt_cli_stage *stage);

#endif
