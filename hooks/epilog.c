/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The epilog: on the node whose spool holds the batch task's status, why the attempt ended, and the
 * agent's record of it. Elsewhere it only clears the spool. slurmctld is asked once at most, and
 * only for what the environment leaves open.
 */
#include "hooks/epilog.h"

#include <errno.h>
#include <sys/wait.h>

#include "hooks/agent.h"
#include "hooks/ask.h"
#include "hooks/cause.h"
#include "hooks/log.h"
#include "wire/frame.h"
#include "wire/text.h"

#define ASK_MAX_NS ((int64_t)2000000000) /* and never more than half of what is left */

static int64_t ask_deadline(const struct ckpt_hook *hook)
{
	int64_t now = ckpt_frame_now_ns(), half = (hook->deadline_ns - now) / 2;

	return now + (half < ASK_MAX_NS ? half : ASK_MAX_NS);
}

/* The attempt ended in task_init because nothing could be found out. */
static bool is_undecided(const struct ckpt_spool_state *state)
{
	int status = (int)state->batch_status;

	return state->refused && WIFEXITED(status) && WEXITSTATUS(status) == CKPT_REFUSE_UNKNOWN;
}

/* A refused attempt never touched the run directory, and neither do we: the site's choice is all.
 */
static void after_refusal(const struct ckpt_hook *hook, const struct ckpt_spool_state *state)
{
	bool hold = hook->site.on_undecided == CKPT_UNDECIDED_HOLD;
	struct ckpt_error err = { 0 };
	int r;

	if (!is_undecided(state) || hook->job.attempt != state->attempt ||
	    hook->site.on_undecided == CKPT_UNDECIDED_FAIL)
		return;
	r = hold ? ckpt_ask_hold(hook->job.id, NULL, false, ask_deadline(hook), &err)
		 : ckpt_ask_requeue(hook->job.id, ask_deadline(hook), &err);
	if (r < 0)
		ckpt_log(LOG_ERR, "undecided, and could not be %s: %.400s",
			 hold ? "held" : "requeued", err.text);
	else
		ckpt_log(LOG_NOTICE, "undecided: %s, as OnUndecided= says",
			 hold ? "requeued and held" : "requeued");
}

static void identify(struct ckpt_request *req, const struct ckpt_jobinfo *info)
{
	req->array_job = info->array_job ? info->array_job : info->job;
	if (info->array_job)
		req->array_task = info->array_task;
	ckpt_text_copy(req->job_name, sizeof(req->job_name), info->name);
}

/* The agent's part. @info is NULL where slurmctld was not asked or did not answer. */
static void record(const struct ckpt_hook *hook, const struct ckpt_spool_state *state,
		   struct ckpt_request *req, const char *cause)
{
	struct ckpt_decision answer;

	req->attempt = state->attempt;
	req->status_known = 1;
	req->batch_status = state->batch_status;
	ckpt_text_copy(req->reason, sizeof(req->reason), cause);
	if (ckpt_hook_agent(hook, "record", req, &answer) == 0)
		ckpt_log(LOG_INFO, "attempt %lld ended: %s; recorded", (long long)state->attempt,
			 cause);
}

/* The job's options, with the run directories as the step has told them. */
static int request_of(const struct ckpt_hook *hook, const struct ckpt_decision *decision,
		      struct ckpt_request *req)
{
	struct ckpt_error err = { 0 };
	int r = ckpt_hook_request(hook, req, &err);

	if (r < 0)
		ckpt_log(LOG_WARNING, "the job's options are refused: %.400s", err.text);
	else if (decision->dirs[0])
		ckpt_text_copy(req->dirs, sizeof(req->dirs), decision->dirs);
	return r;
}

static void conclude(const struct ckpt_hook *hook, const struct ckpt_spool_state *state,
		     const struct ckpt_decision *decision)
{
	struct ckpt_cause_facts facts = {
		.attempt = state->attempt,
		.count = hook->job.attempt,
		.exit_code = hook->job.exit_code,
		.batch_status = state->batch_status,
		.num_nodes = hook->job.num_nodes,
		.this_boot = state->this_boot,
	};
	struct ckpt_cause_finding finding = ckpt_cause_find(&facts);
	struct ckpt_error err = { 0 };
	struct ckpt_jobinfo info = { 0 };
	struct ckpt_request req;
	int options = request_of(hook, decision, &req);
	bool unnamed = options == 0 && finding.ours && ckpt_hook_needs_identity(&req);

	if (!finding.certain || unnamed) {
		if (ckpt_ask_show(hook->job.id, ask_deadline(hook), &info, &err) < 0)
			ckpt_log(LOG_WARNING, "%.400s", err.text);
		else
			facts.info = &info;
	}
	if (facts.info) {
		finding = ckpt_cause_find(&facts);
		identify(&req, &info);
		unnamed = false;
	}
	if (options == 0 && finding.ours && !unnamed)
		record(hook, state, &req, ckpt_cause_name(finding.cause));
	else
		ckpt_log(LOG_INFO, "attempt %lld ended: %s; the run directory is left alone",
			 (long long)state->attempt, ckpt_cause_name(finding.cause));
}

void ckpt_hook_epilog(const struct ckpt_hook *hook)
{
	struct ckpt_spool_state state = { 0 };
	struct ckpt_decision decision = { 0 };
	struct ckpt_error err = { 0 };
	int r = ckpt_spool_read(&hook->key, &state, &decision, &err);

	if (r == -ENOENT)
		return;
	if (r < 0) {
		ckpt_log(LOG_ERR, "%.400s", err.text);
		return;
	}
	if (state.has_status && state.refused)
		after_refusal(hook, &state);
	else if (state.has_status)
		conclude(hook, &state, &decision);
	if (state.attempt <= hook->job.attempt && ckpt_spool_remove(&hook->key, &err) < 0)
		ckpt_log(LOG_WARNING, "%.400s", err.text);
}
