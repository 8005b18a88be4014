/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See agent.h.
 */
#include "hooks/agent.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hooks/log.h"
#include "hooks/priv.h"
#include "wire/frame.h"
#include "wire/launch.h"

#define MS_NS ((int64_t)1000000)
#define ANSWER_MS 50 /* of the budget, for the agent to say what it has */
#define LEAST_MS 20  /* with less there is no point in starting it */
#define CPU_EXTRA_S 2
#define DECLINED 1 /* the agent's exit code when it has no answer and nothing is amiss */

int ckpt_hook_agent(const struct ckpt_hook *hook, const char *op, struct ckpt_request *req,
		    struct ckpt_decision *ret)
{
	int64_t left_ms = (hook->deadline_ns - ckpt_frame_now_ns()) / MS_NS;
	struct ckpt_priv priv = {
		.uid = hook->job.uid,
		.gid = hook->job.gid,
		.parent = getpid(),
		.cpu_seconds = left_ms / 1000 + 1 + CPU_EXTRA_S,
		/* what it has not decided the step decides; what it has not recorded is lost */
		.behind = strcmp(op, "resolve") == 0,
	};
	struct ckpt_launch how = {
		.agent = hook->site.agent,
		.op = op,
		.confined = true,
		.deadline_ns = hook->deadline_ns,
		.prepare = ckpt_priv_drop,
		.arg = &priv,
	};
	struct ckpt_launch_end end = { 0 };
	struct ckpt_error err = { 0 };
	int r;

	if (left_ms < ANSWER_MS + LEAST_MS) {
		ckpt_log(LOG_WARNING, "no time is left for the agent (%s)", op);
		return -ETIMEDOUT;
	}
	req->budget_ms = left_ms - ANSWER_MS;
	r = ckpt_launch_agent(&how, req, ret, &end, &err);
	if (r == -EPIPE && end.exit_code == DECLINED) {
		ckpt_log(LOG_INFO, "the agent (%s) had nothing to hand on", op);
		return r;
	}
	if (r < 0) {
		ckpt_log(LOG_WARNING, "%.400s", err.text);
		return r;
	}
	if (end.signal || end.exit_code) {
		ckpt_log(LOG_WARNING, "the agent (%s) answered, but then ended with %s %d", op,
			 end.signal ? "signal" : "code", end.signal ? end.signal : end.exit_code);
		return -EBADMSG;
	}
	if (ret->job_id != hook->job.id || ret->attempt != req->attempt) {
		ckpt_log(LOG_WARNING, "the agent (%s) answered for another job or attempt", op);
		return -EBADMSG;
	}
	return 0;
}
