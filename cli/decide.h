/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deciding as the step does, by hand: for clusters where nothing is installed, and for programs
 * that are started again inside an attempt.
 */
#ifndef CKPT_CLI_DECIDE_H
#define CKPT_CLI_DECIDE_H

#include "cli/job.h"

/* What `env` and `exec` are asked. */
struct ckpt_cli_decide {
	struct ckpt_cli_request cli; /* first: the child's input */
	struct ckpt_cli_job job;
	int64_t attempt; /* --attempt; -1: not given */
};

/* --attempt, and the options of a request. input is a struct ckpt_cli_decide. */
extern const struct argp ckpt_cli_decide_argp;

/* Prepares it. */
void ckpt_cli_decide_init(struct ckpt_cli_decide *decide);

/*
 * Makes the decision and what follows it on disk, and says it on stderr: the first one of an
 * attempt as the step would, each further one in the light of what has been saved since; the tasks
 * of a step together (together.h), and the line is said by one of them. Warns of another job that
 * may be at work in the run directory; that changes nothing else. 0 with *@ret (a refusal
 * included), or an exit code with the reason printed.
 */
int ckpt_cli_decide(struct ckpt_cli_decide *decide, struct ckpt_resolution *ret);

#endif
