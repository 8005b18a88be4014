/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hooks' way to the agent: as the job's user, for good, within the budget.
 */
#ifndef CKPT_HOOKS_AGENT_H
#define CKPT_HOOKS_AGENT_H

#include "hooks/request.h"

/*
 * Runs the agent's @op for @req as the job's user until the budget ends; sets req->budget_ms. 0
 * with its answer in @ret: whole, checked, for this job and attempt, from an agent that ended well.
 * A negative errno, after a line in the log, otherwise.
 */
int ckpt_hook_agent(const struct ckpt_hook *hook, const char *op, struct ckpt_request *req,
		    struct ckpt_decision *ret);

#endif
