/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See resolve.h: the way from a request to a decision, one step a function. Each step returns 0 to
 * go on, CKPT_STEP_DONE when the decision is made (a refusal included), or an errno.
 */
#include "core/resolve/resolve.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/record/mark.h"
#include "core/resolve/choose.h"
#include "core/resolve/decide.h"
#include "core/resolve/expand.h"
#include "core/resolve/marker.h"
#include "core/resolve/standing.h"
#include "core/resolve/trail.h"

/* The expanded directories as a list that expands to itself; empty where a ':' makes that
 * impossible. */
static void list_directories(struct ckpt_resolution *res)
{
	_cleanup_str_ struct ckpt_str list = { 0 };

	for (int i = 0; i < res->n_run_dirs; i++) {
		const char *dir = res->run_dirs[i];

		if (strchr(dir, ':'))
			return;
		ckpt_str_add(&list, "%s", i ? ":" : "");
		for (; *dir; dir++)
			ckpt_str_add(&list, *dir == '%' ? "%%%c" : "%c", *dir);
	}
	if (list.s && !list.failed)
		ckpt_text_copy(res->decision.dirs, sizeof(res->decision.dirs), list.s);
}

static int step_directories(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	int e = ckpt_expand_dirs(r->req, res->run_dirs, &res->n_run_dirs, r->err);

	if (e == 0 && r->req->state[0])
		e = ckpt_expand_state(r->req, res->state_dir, r->err);
	if (e == CKPT_EXPAND_UNKNOWN)
		return -EAGAIN;
	if (e == CKPT_EXPAND_REFUSED)
		return ckpt_decide_refused(res, CKPT_REFUSE_OPTION, "%s", r->err->text),
		       CKPT_STEP_DONE;
	if (e < 0)
		return e;
	res->fallback = ckpt_expand_fallback(r->req);
	res->decision.by_default = res->fallback != NULL;
	ckpt_text_copy(res->decision.dir, sizeof(res->decision.dir), res->run_dirs[0]);
	list_directories(res);
	for (int i = 0; i < res->n_run_dirs; i++)
		res->roots.dir[i] = res->run_dirs[i];
	res->roots.n = res->n_run_dirs;
	if (!r->req->state[0])
		return 0;
	res->roots.dir[0] = res->state_dir;
	res->roots.n = 1;
	return 0;
}

/* Where we requeued it, our own word counts: to Slurm it was but requeued, or completed. Slurm
 * starts a job again when its epilogs are done, or its node is gone. */
static const char *cause_of(const struct ckpt_resolution *res)
{
	const struct ckpt_past_attempt *last =
		ckpt_past_find(&res->state.past, res->decision.attempt - 1);

	if (last && last->why[0])
		return last->why;
	if (last && last->hooked && !last->ended && !last->over)
		return "node-fail";
	return res->state.cause;
}

/* The ledger's causes in the contract's words: those that are not named there say no more than they
 * do. */
static const char *reason_of(const struct ckpt_resolution *res)
{
	static const char *const words[][2] = {
		{ "preempted", "preempted" }, { "requeued", "requeued" },
		{ "node-fail", "node-fail" }, { "time-limit", "time-limit" },
		{ "stalled", "stalled" },     { "exit-code", "exit-code" },
		{ "signal", "exit-code" },    { "oom", "exit-code" },
		{ "finished", "requeued" },   { "stall", "stalled" },
		{ "preempt", "preempted" },   { "exit", "exit-code" },
	};
	const char *cause = cause_of(res);

	if (res->first)
		return "first-start";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(cause, words[i][0]) == 0)
			return words[i][1];
	return "unknown";
}

static int step_state(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	struct ckpt_decision *d = &res->decision;

	ckpt_run_state_load(r->ctx, r->req, &res->roots, &res->state);
	res->first = r->req->attempt == 0;
	if (res->first && res->state.done) /* a new job with the number of one whose run is over */
		res->state.ours = res->state.done = false;
	if (res->state.ours)
		ckpt_text_copy(d->run, sizeof(d->run), res->state.mark.run);
	if (!d->reason[0])
		ckpt_text_copy(d->reason, sizeof(d->reason), reason_of(res));
	if (res->first && res->state.live_job && res->state.live_job != r->req->job_id)
		ckpt_resolution_warn(
			res,
			"job %lld began in this run directory and was not seen to end; if "
			"it still runs, both write here",
			(long long)res->state.live_job);
	return 0;
}

static int scan_one(struct ckpt_resolving *r, const char *dir, int index,
		    const struct ckpt_catalog_options *options)
{
	int e = ckpt_catalog_scan(r->ctx, &r->res->catalog, dir, index, options, r->err);

	if (e == -ENOENT && !ckpt_run_state_dangles(dir))
		return 0;
	if (e == 0 || e == -ENOMEM)
		return e;
	if (e == -ENOENT) {
		ckpt_decide_refused(
			r->res, CKPT_REFUSE_UNKNOWN,
			"the run directory %s leads through a link to what is not there: is its "
			"file system mounted? Nothing was started. Requeue the job when it is back",
			CKPT_QUOTE(dir));
		return CKPT_STEP_DONE;
	}
	ckpt_decide_refused(
		r->res, CKPT_REFUSE_UNKNOWN,
		"the run directory %s cannot be read (%s); a fresh start would risk its "
		"checkpoints. Mend access to it and requeue the job",
		CKPT_QUOTE(dir), strerror(e < 0 ? -e : EIO));
	return CKPT_STEP_DONE;
}

static bool is_others(void *arg, const char *dir)
{
	const struct ckpt_resolving *r = arg;

	return ckpt_mark_is_task(r->ctx, dir, r->req);
}

static int step_scan(struct ckpt_resolving *r)
{
	struct ckpt_catalog_options options = { .glob = r->req->glob,
						.is_others = is_others,
						.arg = r };
	struct ckpt_resolution *res = r->res;
	int e = 0;

	for (int i = 0; i < res->n_run_dirs && e == 0; i++)
		e = scan_one(r, res->run_dirs[i], i, &options);
	if (e != 0 || res->catalog.n_sets > 0 || !res->fallback)
		return e;
	options.known_layouts_only = true;
	return scan_one(r, res->fallback, res->n_run_dirs, &options);
}

/* Law 6: from attempt 1 on, the mark of attempt 0 shows that this is the directory it was. */
static int step_law6(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	const struct ckpt_run_state *state = &res->state;

	if (r->req->attempt == 0 || state->ours)
		return 0;
	if (state->error != 0) {
		ckpt_decide_refused(
			res, CKPT_REFUSE_UNKNOWN,
			"what attempt 0 left in %s cannot be read (%s); nothing was started "
			"and nothing changed. Mend it and requeue the job",
			res->roots.dir[0], state->error_text);
		return CKPT_STEP_DONE;
	}
	if (state->have_mark) { /* the directory is the right one; another job has marked it */
		res->first = !state->seen;
		if (res->first && !r->req->reason[0])
			ckpt_text_copy(res->decision.reason, sizeof(res->decision.reason),
				       reason_of(res));
		return 0;
	}
	if (!state->have_ledger && res->catalog.n_sets == 0 &&
	    ckpt_run_state_never_began(&res->roots, r->req->work_dir)) {
		res->first = true;
		ckpt_resolution_warn(
			res, "no earlier attempt left anything in %s: this one begins the run",
			res->roots.dir[0]);
		return 0;
	}
	ckpt_decide_refused(
		res, CKPT_REFUSE_UNKNOWN,
		"%s does not hold the mark that attempt 0 left there: is its file system "
		"mounted? Nothing was started and nothing created. Requeue the job when it is "
		"back, or submit anew to begin here",
		res->roots.dir[0]);
	return CKPT_STEP_DONE;
}

static int step_config(struct ckpt_resolving *r)
{
	struct ckpt_resolution *res = r->res;
	char path[2 * CKPT_PATH_MAX + 2];
	bool given = r->req->config[0] != '\0';
	int e = 0;

	for (int i = 0; i < res->n_run_dirs && e == 0 && !res->config.present; i++) {
		if (given && r->req->config[0] == '/')
			snprintf(path, sizeof(path), "%s", r->req->config);
		else if (given)
			snprintf(path, sizeof(path), "%s/%s", r->req->work_dir, r->req->config);
		else
			snprintf(path, sizeof(path), "%s/" CKPT_RUN_CONFIG, res->run_dirs[i]);
		e = ckpt_run_config_load(r->ctx, path, !given, &res->config, r->err);
	}
	if (res->config.warning[0])
		ckpt_resolution_warn(res, "%s", res->config.warning);
	if (e == 0 || e == -ENOMEM)
		return e;
	ckpt_decide_refused(res,
			    e == CKPT_RUN_CONFIG_BAD || e == -ENOENT ? CKPT_REFUSE_OPTION
								     : CKPT_REFUSE_UNKNOWN,
			    "%s", r->err->text);
	return CKPT_STEP_DONE;
}

/* What the first start is asked for: the flag, then the run configuration. */
static void ask_config(struct ckpt_resolving *r)
{
	const struct ckpt_run_config *config = &r->res->config;

	if (r->mode.kind != CKPT_MODE_AUTO)
		return;
	if (config->no_restore || (config->has_resume_flag && !config->resume_flag))
		r->mode.kind = CKPT_MODE_FRESH;
	else if (config->resume_from_checkpoint[0])
		r->mode = ckpt_choose_config_pin(r, config->resume_from_checkpoint);
}

/* Later attempts follow auto unless --ckpt-repin. */
static int step_mode(struct ckpt_resolving *r)
{
	if (!ckpt_mode_parse(r->req->mode, &r->mode)) {
		ckpt_decide_refused(r->res, CKPT_REFUSE_OPTION, "--ckpt-resume=%s: not a mode",
				    CKPT_QUOTE(r->req->mode));
		return CKPT_STEP_DONE;
	}
	if (!r->res->first && r->req->repin && ckpt_mode_is_pin(&r->mode))
		return 0;
	ask_config(r);
	r->began_fresh = r->mode.kind == CKPT_MODE_FRESH;
	if (!r->res->first)
		r->mode.kind = CKPT_MODE_AUTO;
	return 0;
}

static int (*const steps[])(struct ckpt_resolving *r) = {
	step_directories, step_state,	    step_scan,	      step_law6, ckpt_step_finished,
	step_config,	  ckpt_step_marked, ckpt_step_budget, step_mode, ckpt_choose,
};

int ckpt_resolve_place(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		       struct ckpt_resolution *ret, struct ckpt_error *err)
{
	struct ckpt_resolving r = { .ctx = ctx, .req = req, .res = ret, .err = err };
	int e;

	memset(ret, 0, sizeof(*ret));
	ret->decision.attempt = req->attempt;
	ret->decision.job_id = req->job_id;
	e = step_directories(&r);
	if (e != 0)
		return e < 0 ? e : ckpt_fail(err, -EINVAL, "%s", ret->decision.line);
	return step_state(&r);
}

int ckpt_resolve(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *ret,
		 struct ckpt_error *err)
{
	struct ckpt_error scratch = { 0 };
	struct ckpt_resolving r = {
		.ctx = ctx, .req = req, .res = ret, .err = err ? err : &scratch
	};
	int e = 0;

	memset(ret, 0, sizeof(*ret));
	ret->decision.attempt = req->attempt;
	ret->decision.job_id = req->job_id;
	ckpt_text_copy(ret->decision.reason, sizeof(ret->decision.reason), req->reason);
	ckpt_text_copy(ret->decision.env_names, sizeof(ret->decision.env_names), req->env_names);
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && e == 0; i++)
		e = steps[i](&r);
	return e < 0 ? e : 0;
}

void ckpt_resolution_done(struct ckpt_resolution *resolution)
{
	ckpt_catalog_done(&resolution->catalog);
	ckpt_catalog_done(&resolution->former);
	ckpt_run_state_done(&resolution->state);
	ckpt_run_config_done(&resolution->config);
	free(resolution->trail);
	resolution->trail = NULL;
}
