/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See decide.h.
 */
#include "cli/decide.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/together.h"
#include "core/base/text.h"
#include "core/record/state.h"
#include "core/resolve/settle.h"
#include "core/resolve/sharing.h"
#include "core/resolve/trail.h"

static const struct argp_option options[] = {
	{ "attempt", 'A', "N", 0,
	  "number of this attempt, 0 the first (default: SLURM_RESTART_COUNT; outside of Slurm it "
	  "is "
	  "counted in the run directory)",
	  0 },
	{ 0 },
};

static const struct argp_child children[] = { { &ckpt_cli_request_argp, 0, NULL, 0 }, { 0 } };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct ckpt_cli_decide *decide = state->input;

	if (key == ARGP_KEY_INIT)
		state->child_inputs[0] = &decide->cli;
	else if (key == 'A' && !ckpt_text_int(arg, 0, UINT32_MAX, &decide->attempt))
		argp_error(state, "--attempt: a number");
	else if (key != 'A')
		return ARGP_ERR_UNKNOWN;
	return 0;
}

const struct argp ckpt_cli_decide_argp = { options, parse, NULL, NULL, children, NULL, NULL };

void ckpt_cli_decide_init(struct ckpt_cli_decide *decide)
{
	memset(decide, 0, sizeof(*decide));
	ckpt_cli_request_init(&decide->cli);
	decide->attempt = -1;
}

/* Which attempt this is, where the environment does not say. 0 or an exit code. */
static int number_attempt(struct ckpt_cli_decide *d, const struct ckpt_roots *roots)
{
	struct ckpt_request *req = &d->cli.req;
	struct ckpt_error err = { 0 };

	if (d->attempt >= 0)
		req->attempt = d->attempt;
	else if (!d->job.slurm && !d->job.decided &&
		 ckpt_attempt_next(roots, req, &req->attempt, &err) < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN,
				     "which attempt this is cannot be found out: %s; nothing was "
				     "started (--attempt=N says it)",
				     err.text);
	if (req->attempt == 0)
		ckpt_text_copy(req->reason, sizeof(req->reason), "first-start");
	return 0;
}

/* Whether the run's mark in one of @roots is that of the decision @before. */
static bool is_of_run(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		      const struct ckpt_roots *roots, const struct ckpt_decision *before)
{
	struct ckpt_run_state state;
	bool same;

	ckpt_run_state_load(ctx, req, roots, &state);
	same = state.ours && strcmp(state.mark.run, before->run) == 0;
	ckpt_run_state_done(&state);
	return same;
}

/*
 * The decision of this very attempt, if it was made before. What lies in the run directory for an
 * attempt 0 may be of another job with the same number: job numbers come again.
 */
static bool decided_before(struct ckpt_ctx *ctx, const struct ckpt_cli_decide *d,
			   const struct ckpt_roots *roots, struct ckpt_decision *ret)
{
	const struct ckpt_request *req = &d->cli.req;
	struct ckpt_error err;

	if (d->job.decided && d->job.attempt == req->attempt) {
		*ret = d->job.decision;
		return strcmp(ret->mode, "refused") != 0;
	}
	return req->attempt > 0 && ckpt_decision_recorded(ctx, roots, req, ret, &err) == 0 &&
	       strcmp(ret->mode, "refused") != 0 && is_of_run(ctx, req, roots, ret);
}

static void say(const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;

	fprintf(stderr, "ckpt-resume: %s\n", d->line);
	if (d->warning[0])
		fprintf(stderr, "ckpt-resume: warning: %s\n", d->warning);
}

static bool is_start(const struct ckpt_decision *d)
{
	return strcmp(d->mode, "refused") != 0 && strcmp(d->mode, "done") != 0;
}

/* Tells of another job that may be at work in a run directory of @req. A step of the plugin would
 * wait for it; here nobody does, so that its user has to know. */
static void warn_of_rival(const struct ckpt_request *req)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));
	const struct ckpt_lease *other;

	if (!sharing || strcmp(req->share, "yes") == 0 || ckpt_sharing_init(sharing, req) != 0 ||
	    !ckpt_sharing_is_taken(sharing))
		return;
	other = &sharing->holder;
	ckpt_cli_fail(0,
		      "warning: job %lld (attempt %lld on %s) has the lease of %s and is not known "
		      "to have ended: two jobs that write there spoil each other's checkpoints. "
		      "Where `squeue -j %lld` still shows it, end this one, or give it a directory "
		      "of its own (--dir)",
		      (long long)other->job_id, (long long)other->attempt,
		      other->host[0] ? other->host : "?", CKPT_QUOTE(sharing->dirs[sharing->at]),
		      (long long)other->job_id);
}

static int resolve(struct ckpt_ctx *ctx, struct ckpt_cli_decide *d, const struct ckpt_roots *roots,
		   struct ckpt_resolution *ret)
{
	_cleanup_free_ struct ckpt_decision *before = calloc(1, sizeof(*before));
	struct ckpt_request *req = &d->cli.req;

	if (!before)
		return -ENOMEM;
	if (!decided_before(ctx, d, roots, before))
		return ckpt_resolve(ctx, req, ret, &d->cli.err);
	/* whoever began something in this attempt may still be writing it */
	ckpt_text_copy(req->quarantine, sizeof(req->quarantine), "off");
	return ckpt_resolve_again(ctx, req, before, ret, &d->cli.err);
}

int ckpt_cli_decide(struct ckpt_cli_decide *d, struct ckpt_resolution *ret)
{
	static struct ckpt_cli_roots roots;
	_cleanup_together_ struct ckpt_cli_together step = { .statefd = -1, .lock = -1 };
	struct ckpt_ctx ctx = { 0 };
	int r;

	ckpt_cli_job_read(&d->job);
	if (!ckpt_cli_job_request(&d->job, &d->cli) || !ckpt_cli_roots(&d->cli.req, &roots))
		return CKPT_EXIT_USAGE;
	r = number_attempt(d, &roots.roots);
	if (r != 0)
		return r;
	ckpt_cli_together_init(&step, &d->cli.req, &roots.roots);
	if (ckpt_cli_together_take(&step, &ret->decision))
		return 0;
	ckpt_cli_decision_ctx(&ctx);
	ckpt_cli_progress(&ctx);
	r = resolve(&ctx, d, &roots.roots, ret);
	ckpt_cli_progress_end(&ctx);
	if (r < 0)
		return ckpt_cli_fail(CKPT_EXIT_UNKNOWN, "%s",
				     d->cli.err.text[0] ? d->cli.err.text : strerror(-r));
	if (ret->wants_fetch)
		ckpt_resolution_warn(ret, "model.fetch is run by the installed plugin alone: "
					  "nothing was fetched");
	ckpt_settle(&ctx, &d->cli.req, ret);
	if (ckpt_cli_together_give(&step, ret))
		return 0;
	say(ret);
	if (is_start(&ret->decision))
		warn_of_rival(&d->cli.req);
	return 0;
}
