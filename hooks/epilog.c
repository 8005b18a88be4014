/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The epilog: on the node whose spool holds the batch task's status, why the attempt ended, and the
 * agent's record of it. Elsewhere it only clears the spool. slurmctld is asked once, and
 * only for what the environment leaves open; two calls more put the job back into the queue, or
 * hold it.
 */
#include "hooks/epilog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "hooks/agent.h"
#include "hooks/ask.h"
#include "hooks/cause.h"
#include "hooks/grace.h"
#include "hooks/log.h"
#include "hooks/metrics.h"
#include "hooks/policy.h"
#include "wire/frame.h"
#include "wire/text.h"

#define ASK_MAX_NS ((int64_t)2000000000) /* for the ledger alone; at most half of what is left */
#define AGAIN_NS ((int64_t)250000000)	 /* between two tries of slurmctld */
#define AGENT_NS ((int64_t)300000000)	 /* of the budget, for the agent that comes after them */
#define NO_STATUS (-1) /* a raw wait status that is neither an exit nor a signal */
#define FOLLOW_PART 3  /* what is left, and this part of it for a requeue */

/* One epilog on its way. */
struct ending {
	const struct ckpt_hook *hook;
	const struct ckpt_spool_state *state;
	struct ckpt_request req; /* the job's options, with the run directories as the step told */
	bool has_options;
	struct ckpt_requeue wants;
	struct ckpt_jobinfo info;
	bool has_info;
	struct ckpt_cause_finding finding;
	struct ckpt_hook shorter;     /* the hook with less time, so that some is left to follow */
	struct ckpt_decision account; /* the agent's, of the attempt; zero where it gave none */
	bool recorded;
	bool graced;   /* jobs here may be given a grace time */
	bool nameless; /* its directories cannot be told without slurmctld's answer */
};

/* Waits a little where there is time for another try and what follows; false where there is not. */
static bool try_again(const struct ckpt_hook *hook)
{
	const struct timespec pause = { 0, AGAIN_NS };

	if (hook->deadline_ns - ckpt_frame_now_ns() < 2 * AGAIN_NS + AGENT_NS)
		return false;
	nanosleep(&pause, NULL);
	return true;
}

static bool is_refused_with(const struct ckpt_spool_state *state, int code)
{
	int status = (int)state->batch_status;

	return state->refused && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/* slurmctld may be failing over: a hold or requeue is tried until the budget ends. 0 or an errno.
 */
static int act(const struct ckpt_hook *hook, enum ckpt_policy_action action, const char *reason,
	       bool only_admin)
{
	static const char *const words[] = {
		[CKPT_POLICY_REQUEUE] = "requeued",
		[CKPT_POLICY_HOLD] = "held",
		[CKPT_POLICY_RELEASE] = "released",
	};
	struct ckpt_error err = { 0 };
	int64_t id = hook->job.id;
	int r;

	do {
		if (action == CKPT_POLICY_HOLD)
			r = ckpt_ask_hold(id, reason, only_admin, hook->deadline_ns, &err);
		else if (action == CKPT_POLICY_RELEASE)
			r = ckpt_ask_release(id, hook->deadline_ns, &err);
		else
			r = ckpt_ask_requeue(id, 0, hook->deadline_ns, &err);
	} while (r < 0 && try_again(hook));
	if (r < 0)
		ckpt_log(LOG_ERR, "could not be %s (%s): %.300s", words[action], reason, err.text);
	else
		ckpt_log(LOG_NOTICE, "%s: %s", words[action], reason);
	return r;
}

/* Another job is at work in the run directory. Its number is the user's word, and no more than the
 * user could ask of slurmctld. */
static void stand_back(const struct ckpt_hook *hook, int64_t holder)
{
	struct ckpt_error err = { 0 };
	int64_t id = hook->job.id;
	int r;

	do
		r = ckpt_ask_requeue(id, holder == id ? 0 : holder, hook->deadline_ns, &err);
	while (r < 0 && try_again(hook));
	if (r < 0)
		ckpt_log(LOG_ERR, "could not be requeued (job %lld is at work there): %.300s",
			 (long long)holder, err.text);
	else
		ckpt_log(LOG_NOTICE, "requeued: job %lld is at work in its run directory",
			 (long long)holder);
}

/* A refused attempt never touched the run directory, and neither do we: the site's choice is all,
 * and the hold that its refusal announced. */
static void after_refusal(const struct ckpt_hook *hook, const struct ckpt_spool_state *state,
			  const struct ckpt_decision *decision)
{
	char reason[160];

	if (hook->job.attempt != state->attempt)
		return;
	if (is_refused_with(state, CKPT_REFUSE_BUSY)) {
		stand_back(hook, decision->holder);
		return;
	}
	if (is_refused_with(state, CKPT_REFUSE_BUDGET)) {
		snprintf(reason, sizeof(reason),
			 "restarts used up, its output says which; scontrol release %lld goes on",
			 (long long)hook->job.id);
		act(hook, CKPT_POLICY_HOLD, reason, false);
		return;
	}
	if (!is_refused_with(state, CKPT_REFUSE_UNKNOWN))
		return;
	switch (hook->site.on_undecided) {
	case CKPT_UNDECIDED_FAIL:
		break;
	case CKPT_UNDECIDED_HOLD:
		snprintf(reason, sizeof(reason),
			 "undecided, as its output says; scontrol release %lld tries again",
			 (long long)hook->job.id);
		act(hook, CKPT_POLICY_HOLD, reason, false);
		break;
	case CKPT_UNDECIDED_REQUEUE:
		act(hook, CKPT_POLICY_REQUEUE, "undecided, as OnUndecided= says", false);
		break;
	}
}

static void identify(struct ckpt_request *req, const struct ckpt_jobinfo *info)
{
	req->array_job = info->array_job ? info->array_job : info->job;
	if (info->array_job)
		req->array_task = info->array_task;
	ckpt_text_copy(req->job_name, sizeof(req->job_name), info->name);
}

/* Whether a companion may have noted that the job is to be requeued. */
static bool is_watched(const struct ending *e)
{
	return e->has_options && (e->req.before_limit[0] ||
				  (e->req.stall[0] && e->wants.causes & CKPT_REQUEUE_STALL));
}

/* Whether the job may have to be requeued, once slurmctld has said how it ended. */
static bool may_requeue(const struct ending *e)
{
	int status = (int)e->state->batch_status;

	if (e->hook->job.attempt != e->state->attempt)
		return false;
	return (e->graced && e->wants.causes & CKPT_REQUEUE_PREEMPT) || is_watched(e) ||
	       e->wants.causes & CKPT_REQUEUE_TIME_LIMIT ||
	       (WIFEXITED(status) && ckpt_requeue_has_code(&e->wants, WEXITSTATUS(status)));
}

/* The agent's part: the end of the attempt for the ledger, and what the ledger makes of it. */
static void record(struct ending *e)
{
	struct ckpt_request *req = &e->req;

	e->shorter = *e->hook;
	if (may_requeue(e))
		e->shorter.deadline_ns -=
			(e->hook->deadline_ns - ckpt_frame_now_ns()) / FOLLOW_PART;
	req->attempt = e->state->attempt;
	req->status_known = e->state->has_status;
	req->batch_status = e->state->has_status ? e->state->batch_status : 0;
	req->finished = e->finding.finished;
	ckpt_text_copy(req->reason, sizeof(req->reason), ckpt_cause_name(e->finding.cause));
	e->recorded = ckpt_hook_agent(&e->shorter, "record", req, &e->account) == 0;
	if (e->recorded) {
		e->finding.cause = ckpt_cause_noted(e->finding.cause, e->account.wanted);
		ckpt_log(LOG_INFO, "attempt %lld ended: %s; recorded", (long long)req->attempt,
			 ckpt_cause_name(e->finding.cause));
	}
}

static bool note(struct ending *e, const char *what, const char *why)
{
	struct ckpt_decision answer;

	ckpt_text_copy(e->req.note, sizeof(e->req.note), what);
	ckpt_text_copy(e->req.note_why, sizeof(e->req.note_why), why);
	ckpt_text_copy(e->req.note_by, sizeof(e->req.note_by), "epilog");
	return ckpt_hook_agent(e->hook, "note", &e->req, &answer) == 0;
}

/* The ledger learns first what is done then: a requeue that it does not know of could be repeated
 * for ever; and one that was not to be had is taken back. */
static void carry_out(struct ending *e, const struct ckpt_policy *policy, const char *reason)
{
	bool hold = policy->action == CKPT_POLICY_HOLD;
	bool noted = note(e, hold ? "hold" : "requeue", hold ? policy->reason : policy->why);

	if (!noted && policy->action == CKPT_POLICY_REQUEUE)
		ckpt_log(LOG_WARNING, "not requeued: the ledger cannot be written");
	else if (act(e->hook, policy->action, reason, e->info.commented) < 0 && !hold)
		note(e, "requeue", "refused");
}

/* What becomes of the job now. */
static void follow(struct ending *e)
{
	const struct ckpt_policy_facts facts = {
		.cause = e->finding.cause,
		.wants = &e->wants,
		.info = e->has_info ? &e->info : NULL,
		.node = e->hook->job.node,
		.attempt = e->state->attempt,
		.batch_status = e->state->batch_status,
		.wanted = e->account.wanted,
		.recorded = e->recorded,
		.progress = e->account.progress,
		.faults = e->account.faults,
		.repeats = e->account.repeats,
		.restarts = e->account.restarts,
		.own_max = e->req.own_max_restarts,
		.site_max = e->hook->site.max_restarts,
	};
	struct ckpt_policy policy = ckpt_policy_decide(&facts);
	char reason[CKPT_POLICY_REASON + 64];

	if (policy.action == CKPT_POLICY_NOTHING) {
		if (policy.reason[0])
			ckpt_log(LOG_WARNING, "not requeued: %s", policy.reason);
		return;
	}
	snprintf(reason, sizeof(reason), "%s%s", policy.reason[0] ? policy.reason : policy.why,
		 policy.go_on ? "; scontrol release goes on" : "");
	carry_out(e, &policy, reason);
}

/* The job's options, with the run directories as the step has told them. */
static void take_options(struct ending *e, const struct ckpt_decision *decision)
{
	struct ckpt_error err = { 0 };

	e->has_options = ckpt_hook_request(e->hook, &e->req, &err) == 0;
	if (!e->has_options)
		ckpt_log(LOG_WARNING, "the job's options are refused: %.400s", err.text);
	else if (decision->dirs[0] &&
		 ckpt_text_copy(e->req.dirs, sizeof(e->req.dirs), decision->dirs))
		e->req.expanded =
			decision->by_default ? CKPT_REQUEST_BY_DEFAULT : CKPT_REQUEST_EXPANDED;
	ckpt_requeue_parse(e->has_options ? e->req.requeue : "none", &e->wants);
}

/* A call that is given up is one that slurmctld answers all the same, and the next one comes on top
 * of it: where the job depends on the answer, a slow one is waited for. */
static int64_t ask_deadline(const struct ending *e)
{
	int64_t now = ckpt_frame_now_ns(), left = e->hook->deadline_ns - now;

	if (may_requeue(e))
		return now + left - left / FOLLOW_PART;
	return now + (left / 2 < ASK_MAX_NS ? left / 2 : ASK_MAX_NS);
}

/* Once where the answer is for the ledger alone; else until the budget ends. */
static void ask(struct ending *e)
{
	struct ckpt_error err = { 0 };
	int r;

	do
		r = ckpt_ask_show(e->hook->job.id, ask_deadline(e), &e->info, &err);
	while (r < 0 && may_requeue(e) && try_again(e->hook));
	e->has_info = r == 0;
	if (r < 0)
		ckpt_log(LOG_WARNING, "%.400s", err.text);
}

static void find_cause(struct ending *e)
{
	struct ckpt_cause_facts facts = {
		.attempt = e->state->attempt,
		.count = e->hook->job.attempt,
		.exit_code = e->hook->job.exit_code,
		.batch_status = e->state->batch_status,
		.num_nodes =
			e->hook->job.leader ? 0 : e->hook->job.num_nodes, /* other components' */
		.plain_zero = !e->graced && !is_watched(e) &&
			      !(e->wants.causes & CKPT_REQUEUE_TIME_LIMIT),
		.this_boot = e->state->this_boot,
	};
	bool named = !e->has_options || !ckpt_hook_needs_identity(&e->req);

	e->finding = ckpt_cause_find(&facts);
	if (!e->finding.certain || (e->finding.ours && !named))
		ask(e);
	if (e->has_info) {
		facts.info = &e->info;
		e->finding = ckpt_cause_find(&facts);
		identify(&e->req, &e->info);
	}
	e->nameless = !named && !e->has_info;
}

/* What the agents of the start (@decision, zero where the spool has none) and of the end say of the
 * user's files is counted, whatever it is; that nothing is in both is theirs to see to. */
static void tally(const struct ending *e, const struct ckpt_decision *decision)
{
	const struct ckpt_metrics_end end = {
		.mode = decision->mode,
		.cause = ckpt_cause_name(e->finding.cause),
		.rejected = { decision->rejected, e->account.rejected },
		.verify_ms = decision->verify_ms + e->account.verify_ms,
		.lost_s = e->account.lost_s,
	};
	const char *path = e->hook->site.metrics_file;
	struct ckpt_error err = { 0 };

	if (path[0] && ckpt_metrics_count(path, &end, &err) < 0)
		ckpt_log(LOG_WARNING, "%.400s", err.text);
}

static void conclude(const struct ckpt_hook *hook, const struct ckpt_spool_state *state,
		     const struct ckpt_decision *decision)
{
	static struct ending e;

	e = (struct ending) { .hook = hook, .state = state };
	take_options(&e, decision);
	e.graced = ckpt_grace_is_possible(getenv("SLURM_CONF"));
	find_cause(&e);
	if (e.has_options && e.finding.ours && !e.nameless)
		record(&e);
	else
		ckpt_log(LOG_INFO, "attempt %lld ended: %s; the run directory is left alone",
			 (long long)state->attempt, ckpt_cause_name(e.finding.cause));
	if (e.has_options && e.finding.ours)
		follow(&e);
	tally(&e, decision);
}

/* Put back into the queue on its way to a start: a prolog failed. A start of which there is no
 * status was lost with its slurmstepd, and the next attempt sees by the missing record. */
static bool never_started(const struct ckpt_hook *hook, const struct ckpt_spool_state *state)
{
	return !state->started && ckpt_hook_job_is_batch_host(&hook->job) &&
	       hook->job.attempt == state->attempt + 1;
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
	if (!state.has_status)
		state.batch_status = NO_STATUS;
	if (state.has_status && state.refused)
		after_refusal(hook, &state, &decision);
	else if (state.has_status || never_started(hook, &state))
		conclude(hook, &state, &decision);
	if (state.attempt <= hook->job.attempt && ckpt_spool_remove(&hook->key, &err) < 0)
		ckpt_log(LOG_WARNING, "%.400s", err.text);
}
