/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker of either hook: what both do first, and the two ends. Runs as root under the
 * supervisor; opens the site's configuration, the kill switch and its own spool, and nothing else.
 */
#ifndef CKPT_HOOKS_WORKER_H
#define CKPT_HOOKS_WORKER_H

#include <stdbool.h>

#include "hooks/job.h"
#include "hooks/supervise.h"
#include "wire/request.h"
#include "wire/site.h"
#include "wire/spool.h"

/* One call of a hook. */
struct ckpt_hook {
	bool epilog;
	struct ckpt_hook_job job;
	struct ckpt_site site;
	struct ckpt_spool_key key;
	int64_t deadline_ns; /* end of the budget, CLOCK_MONOTONIC */
};

/* The worker, as ckpt_supervise() calls it; @arg is a struct ckpt_hook with `epilog` set. */
void ckpt_hook_work(struct ckpt_supervise_clock *clock, void *arg);

/* Spool begun anew; where it is due, the agent's decision put into it. */
void ckpt_hook_prolog(const struct ckpt_hook *hook);

/* The cause of the end; where the run directory is this attempt's alone, the agent's record of it.
 */
void ckpt_hook_epilog(const struct ckpt_hook *hook);

/*
 * Fills @req for this job and hook: the user's options, bounded and checked, the job's rows, the
 * site's. 0, or a negative errno with @err: the options are not ones that sbatch would have let
 * through.
 */
int ckpt_hook_request(const struct ckpt_hook *hook, struct ckpt_request *req,
		      struct ckpt_error *err);

/* True if a directory or file of @req cannot be named without knowing the job's array and name: the
 * default directory, %a, %A, %x. */
bool ckpt_hook_needs_identity(const struct ckpt_request *req);

#endif
