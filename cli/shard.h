/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckptctl validate --shard and --merge: one check by several processes.
 */
#ifndef CKPT_CLI_SHARD_H
#define CKPT_CLI_SHARD_H

#include "cli/common.h"

struct ckpt_cli_shard {
	bool on, merge;
	unsigned int index, count; /* of --shard; count of --merge, 0 = that of the newest part */
	const char *dir;	   /* where the parts are; NULL = .ckpt-resume beside each */
	char run[64];		   /* "JOB.STEP" with "auto", else "" */
};

/*
 * Parses "I/N" (0 <= I < N) or "auto": SLURM_PROCID and SLURM_NTASKS of a task that srun started,
 * and of nothing else: a batch script alone would check one share of many. False with a sentence
 * in *@ret_why.
 */
bool ckpt_cli_shard_parse(const char *text, struct ckpt_cli_shard *ret, const char **ret_why);

/*
 * Verifies this shard of @path, or puts the parts of it together, and prints what is known unless
 * @quiet; *@ret is the answer as JSON. The exit code: of the whole where all parts are there and of
 * one step, else of the share alone.
 */
struct ckpt_cli_shard_job {
	const struct ckpt_cli_shard *shard;
	enum ckpt_level level;
	bool json, quiet;
	const char *glob; /* ckpt_cli_find()'s */
};
int ckpt_cli_shard_validate(const struct ckpt_cli_shard_job *job, struct ckpt_ctx *ctx,
			    const char *path, cJSON **ret);

#endif
