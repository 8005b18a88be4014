/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call of a hook, and the agent's request for it. What comes from the job is bounded and
 * checked here; nothing of it is opened.
 */
#ifndef CKPT_HOOKS_REQUEST_H
#define CKPT_HOOKS_REQUEST_H

#include <stdbool.h>

#include "hooks/job.h"
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
