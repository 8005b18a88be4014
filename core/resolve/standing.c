/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See standing.h. Neither step asks when the end of an attempt is recorded: what the next one would
 * start from is wanted then, not whether it starts.
 */
#include "core/resolve/standing.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/resolve/decide.h"
#include "core/resolve/trail.h"
#include "wire/requeue.h"

static bool is_recording(const struct ckpt_resolving *r)
{
	return r->req->status_known != 0;
}

/*
 * slurmctld starts a job that it has as completed only when it is told to (or where it was killed
 * within seconds of the end, and forgot it, which cannot be told apart). So an end that stands as
 * it was first recorded was followed by scontrol requeue; one that was overwritten (the node was
 * told of the same attempt again), or that came by another cause (preempted when all was done), by
 * Slurm.
 */
static bool is_deliberate(const struct ckpt_past_attempt *last)
{
	return strcmp(last->cause, "finished") == 0 || strcmp(last->cause, "requeued") == 0;
}

bool ckpt_standing_is_deliberate(const struct ckpt_resolving *r)
{
	const struct ckpt_past_attempt *last =
		ckpt_past_last_run(&r->res->state.past, r->req->attempt);

	return last && is_deliberate(last);
}

int ckpt_step_finished(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	const struct ckpt_past_attempt *last =
		ckpt_past_last_run(&res->state.past, r->req->attempt);

	if (res->first || is_recording(r) || !res->state.ours)
		return 0;
	/* what this attempt itself declared nobody has requeued: slurmctld forgot its launch */
	if (res->state.done &&
	    (res->state.done_in >= r->req->attempt || !(last && is_deliberate(last))))
		return ckpt_decide_done(res), CKPT_STEP_DONE;
	if (!last || !(last->finished || res->state.done))
		return 0;
	if (is_deliberate(last)) {
		ckpt_resolution_warn(res,
				     "attempt %lld had finished; the job was requeued since, and "
				     "starts again",
				     (long long)last->attempt);
		return 0;
	}
	ckpt_decide_finished(res, last->attempt);
	return CKPT_STEP_DONE;
}

/* Why the attempt @next is one too many, in @buf; false if it is not. */
static bool is_spent(const struct ckpt_resolving *r, char *buf, size_t size)
{
	const struct ckpt_past *past = &r->res->state.past;
	int64_t last = r->req->attempt - 1, max = r->req->own_max_restarts;

	if (max && ckpt_past_restarts(past, last) >= max)
		snprintf(buf, size, "--ckpt-max-restarts=%lld is used up", (long long)max);
	else if (ckpt_past_faults(past, last) >= CKPT_REQUEUE_FAULTS)
		snprintf(buf, size, "%lld attempts in a row ended and left no new valid checkpoint",
			 (long long)ckpt_past_faults(past, last));
	else if (ckpt_past_repeats(past, last) >= CKPT_REQUEUE_REPEATS)
		snprintf(buf, size, "%lld attempts failed in the same way at the same checkpoint",
			 (long long)ckpt_past_repeats(past, last));
	else
		return false;
	return true;
}

/* As the prolog refuses: it does so first, but slurmd does not run it for each start of a job that
 * was requeued. */
static bool is_beyond_site(const struct ckpt_resolving *r)
{
	return r->req->max_restarts && r->req->attempt > r->req->max_restarts && !is_recording(r) &&
	       r->req->job_id != 0;
}

int ckpt_step_budget(struct ckpt_resolving *r)
{
	char why[160];

	if (is_beyond_site(r)) {
		ckpt_decide_refused(r->res, CKPT_REFUSE_OPTION,
				    "MaxRestarts=%lld reached, this job is not started again",
				    (long long)r->req->max_restarts);
		return CKPT_STEP_DONE;
	}
	if (r->res->first || is_recording(r) || r->req->job_id == 0 || !r->res->state.ours ||
	    !is_spent(r, why, sizeof(why)))
		return 0;
	ckpt_decide_refused(r->res, CKPT_REFUSE_BUDGET,
			    "%s: the script was not started. `scontrol release %lld` goes on where "
			    "the job is held, `scontrol requeue %lld` where it is not",
			    why, (long long)r->req->job_id, (long long)r->req->job_id);
	return CKPT_STEP_DONE;
}
