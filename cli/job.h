/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The job that a command runs in, by its environment: what was decided for this attempt, and where
 * the run keeps its state. Outside of Slurm a run directory's attempts are counted in it.
 */
#ifndef CKPT_CLI_JOB_H
#define CKPT_CLI_JOB_H

#include "cli/common.h"
#include "core/resolve/again.h"

struct ckpt_cli_job {
	bool slurm; /* there is a job of Slurm around */
	int64_t job_id, attempt;
	bool decided; /* `decision` was made for this job and attempt */
	struct ckpt_decision decision;
	char state[CKPT_PATH_MAX]; /* where its first state directory lies; or empty */
};

/* Reads the environment. What names another job counts for nothing, and is said once on stderr. */
void ckpt_cli_job_read(struct ckpt_cli_job *job);

/*
 * Completes @cli, as the options of the command line left it, by what is known of @job: cluster,
 * node, numbers, and, where they were not given, options of the job and run directories. Where
 * other directories are given than @job's decision is about, that decision is dropped. False, and
 * said, where it makes no request.
 */
bool ckpt_cli_job_request(struct ckpt_cli_job *job, struct ckpt_cli_request *cli);

/* The roots of a request, expanded. */
struct ckpt_cli_roots {
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	struct ckpt_roots roots;
};

/* Where the run of @req keeps its state. False, and said, where that cannot be known. */
bool ckpt_cli_roots(const struct ckpt_request *req, struct ckpt_cli_roots *ret);

/* The same for a command that takes no more than a directory: @dir as it is, or else the job's, or
 * else the default one. */
bool ckpt_cli_job_roots(struct ckpt_cli_job *job, const char *dir, struct ckpt_cli_roots *ret);

#endif
