/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One decision for all tasks of a step that srun starts: the first one makes it under a lock, the
 * others take it from a file of the state directory, however late they come. A task that asks again
 * in the same step (a loop inside it, several processes of one task) decides for itself, by what is
 * there then. Nothing of it outside of steps, or in those of one task.
 */
#ifndef CKPT_CLI_TOGETHER_H
#define CKPT_CLI_TOGETHER_H

#include "cli/job.h"
#include "cli/step.h"

struct ckpt_cli_together {
	bool on;
	const struct ckpt_request *req; /* borrowed, as are the roots */
	const struct ckpt_roots *roots;
	const char *root; /* where the files are, once that directory is there */
	char step[128];	  /* what the names of the step's files begin with */
	struct ckpt_cli_step task;
	int statefd, lock; /* -1: not open, not held */
};

/* Begins it, by the environment. ckpt_cli_together_done(). */
void ckpt_cli_together_init(struct ckpt_cli_together *t, const struct ckpt_request *req,
			    const struct ckpt_roots *roots);

/* Waits until another task of the step has decided, then true with its decision in *@ret; false
 * where it is this one's to decide. */
bool ckpt_cli_together_take(struct ckpt_cli_together *t, struct ckpt_decision *ret);

/* Leaves the decision of @res for the others. True where another task was faster: then that one's
 * takes its place. What cannot be left is said. */
bool ckpt_cli_together_give(struct ckpt_cli_together *t, struct ckpt_resolution *res);

/* Releases what it holds. */
void ckpt_cli_together_done(struct ckpt_cli_together *t);
#define _cleanup_together_ _cleanup_(ckpt_cli_together_done)

#endif
