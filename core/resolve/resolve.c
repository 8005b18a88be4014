/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See resolve.h: the way from a request to a decision, one step a function. Each step returns 0 to
 * go on, DONE when the decision is made (a refusal included), or an errno.
 */
#include "core/resolve/resolve.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/resolve/decide.h"
#include "core/resolve/expand.h"
#include "core/resolve/lost.h"
#include "core/resolve/select.h"
#include "core/resolve/trail.h"

enum { DONE = 1 };

/* One resolution under way. */
struct resolving {
	struct ckpt_ctx *ctx;
	const struct ckpt_request *req;
	struct ckpt_resolution *res;
	struct ckpt_mode mode;		  /* in force at this attempt */
	bool began_fresh;		  /* later attempts take the run's own work or nothing */
	char pin_path[2 * CKPT_PATH_MAX]; /* backs a pin of the run configuration */
	struct ckpt_selection select;
	struct ckpt_error *err;
};

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

static int step_directories(struct resolving *r)
{
	struct ckpt_resolution *res = r->res;
	int e = ckpt_expand_dirs(r->req, res->run_dirs, &res->n_run_dirs, r->err);

	if (e == CKPT_EXPAND_UNKNOWN)
		return -EAGAIN;
	if (e == CKPT_EXPAND_REFUSED)
		return ckpt_decide_refused(res, CKPT_REFUSE_OPTION, "%s", r->err->text), DONE;
	if (e < 0)
		return e;
	res->default_dir = !r->req->dirs[0];
	ckpt_text_copy(res->decision.dir, sizeof(res->decision.dir), res->run_dirs[0]);
	list_directories(res);
	for (int i = 0; i < res->n_run_dirs; i++)
		res->roots.dir[i] = res->run_dirs[i];
	res->roots.n = res->n_run_dirs;
	if (!r->req->state[0])
		return 0;
	if (!ckpt_text_copy(res->state_dir, sizeof(res->state_dir), r->req->state))
		return ckpt_fail(r->err, -ENAMETOOLONG, "--ckpt-state is too long");
	res->roots.dir[0] = res->state_dir;
	res->roots.n = 1;
	return 0;
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
		{ "finished", "requeued" },
	};

	if (res->first)
		return "first-start";
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(res->state.cause, words[i][0]) == 0)
			return words[i][1];
	return "unknown";
}

static int step_state(struct resolving *r)
{
	struct ckpt_resolution *res = r->res;
	struct ckpt_decision *d = &res->decision;

	ckpt_run_state_load(r->ctx, r->req, &res->roots, &res->state);
	res->first = r->req->attempt == 0;
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

static int scan_one(struct resolving *r, const char *dir, int index,
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
		return DONE;
	}
	ckpt_decide_refused(
		r->res, CKPT_REFUSE_UNKNOWN,
		"the run directory %s cannot be read (%s); a fresh start would risk its "
		"checkpoints. Mend access to it and requeue the job",
		CKPT_QUOTE(dir), strerror(e < 0 ? -e : EIO));
	return DONE;
}

static int step_scan(struct resolving *r)
{
	struct ckpt_catalog_options options = { .glob = r->req->glob };
	struct ckpt_resolution *res = r->res;
	int e = 0;

	for (int i = 0; i < res->n_run_dirs && e == 0; i++)
		e = scan_one(r, res->run_dirs[i], i, &options);
	if (e != 0 || res->catalog.n_sets > 0 || !res->default_dir || !r->req->work_dir[0])
		return e;
	options.known_layouts_only = true;
	return scan_one(r, r->req->work_dir, res->n_run_dirs, &options);
}

/* Law 6: from attempt 1 on, the mark of attempt 0 shows that this is the directory it was. */
static int step_law6(struct resolving *r)
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
		return DONE;
	}
	if (state->have_mark) { /* the directory is the right one; another job has marked it */
		res->first = !state->seen;
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
	return DONE;
}

static int step_config(struct resolving *r)
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
	return DONE;
}

/* A checkpoint that the run configuration names: absolute, relative to the run directory, or a
 * name. */
static struct ckpt_mode config_pin(struct resolving *r, const char *text)
{
	struct ckpt_mode pin = { CKPT_MODE_NAME, 0, text };
	int n;

	if (!strchr(text, '/'))
		return pin;
	pin.kind = CKPT_MODE_PATH;
	if (text[0] == '/')
		return pin;
	n = snprintf(r->pin_path, sizeof(r->pin_path), "%s/%s", r->res->run_dirs[0], text);
	if (n < (int)sizeof(r->pin_path))
		pin.text = r->pin_path;
	return pin;
}

/* What the first start is asked for: the flag, then the run configuration. */
static void ask_config(struct resolving *r)
{
	const struct ckpt_run_config *config = &r->res->config;

	if (r->mode.kind != CKPT_MODE_AUTO)
		return;
	if (config->no_restore || (config->has_resume_flag && !config->resume_flag))
		r->mode.kind = CKPT_MODE_FRESH;
	else if (config->resume_from_checkpoint[0])
		r->mode = config_pin(r, config->resume_from_checkpoint);
}

/* Later attempts follow auto unless --ckpt-repin. */
static int step_mode(struct resolving *r)
{
	if (!ckpt_mode_parse(r->req->mode, &r->mode)) {
		ckpt_decide_refused(r->res, CKPT_REFUSE_OPTION, "--ckpt-resume=%s: not a mode",
				    CKPT_QUOTE(r->req->mode));
		return DONE;
	}
	if (!r->res->first && r->req->repin && ckpt_mode_is_pin(&r->mode))
		return 0;
	ask_config(r);
	r->began_fresh = r->mode.kind == CKPT_MODE_FRESH;
	if (!r->res->first)
		r->mode.kind = CKPT_MODE_AUTO;
	return 0;
}

/* model.custom_checkpoint: named by the user, so it is taken or refused, never replaced. */
static int choose_custom(struct resolving *r, struct ckpt_set **ret)
{
	const char *text = r->res->config.custom_checkpoint;

	if (!text[0] || !r->res->first)
		return CKPT_SELECT_NONE;
	r->mode = config_pin(r, text); /* what goes wrong with it is a pin's fault */
	return ckpt_select_pinned(&r->select, &r->mode, ret, r->err);
}

/* model.pretrained, relative to the run directory. What cannot be used is said: it was named for a
 * reason. */
static int choose_named_pretrained(struct resolving *r, struct ckpt_set **ret)
{
	const char *text = r->res->config.pretrained;
	struct ckpt_trail_entry *entry = NULL;
	struct ckpt_set *set = NULL;
	int e;

	if (!text[0])
		return CKPT_SELECT_NONE;
	snprintf(r->pin_path, sizeof(r->pin_path), "%s%s%.*s",
		 text[0] == '/' ? "" : r->res->run_dirs[0], text[0] == '/' ? "" : "/",
		 CKPT_PATH_MAX - 1, text);
	e = ckpt_catalog_add_path(r->ctx, &r->res->catalog, r->pin_path, &set, r->err);
	if (e == 0) {
		set->role = CKPT_ROLE_PRETRAINED;
		e = ckpt_select_prove(&r->select, set);
		entry = ckpt_trail_of(r->res, set);
	}
	if (e == 0)
		*ret = set;
	else
		ckpt_resolution_warn(r->res, "model.pretrained %s is not used: %s",
				     CKPT_QUOTE(text),
				     entry ? entry->why : strerror(e < 0 ? -e : ENOENT));
	return e == 0 ? 0 : CKPT_SELECT_NONE;
}

static int choose_pretrained(struct resolving *r, struct ckpt_set **ret)
{
	struct ckpt_catalog *cat = &r->res->catalog;

	if (choose_named_pretrained(r, ret) == 0)
		return 0;
	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_set *set = &cat->sets[i];

		if (set->role == CKPT_ROLE_PRETRAINED && ckpt_select_prove(&r->select, set) == 0)
			return *ret = set, 0;
	}
	return CKPT_SELECT_NONE;
}

static int choose(struct resolving *r, struct ckpt_set **ret)
{
	bool pin = ckpt_mode_is_pin(&r->mode);
	int e;

	if (r->mode.kind == CKPT_MODE_FRESH)
		return CKPT_SELECT_NONE;
	if (pin)
		return ckpt_select_pinned(&r->select, &r->mode, ret, r->err);
	e = choose_custom(r, ret);
	if (e <= 0 || ckpt_mode_is_pin(&r->mode))
		return e;
	e = r->mode.kind == CKPT_MODE_BEST ? ckpt_select_best(&r->select, ret)
					   : ckpt_select_auto(&r->select, ret);
	return e == CKPT_SELECT_NONE && !r->began_fresh ? choose_pretrained(r, ret) : e;
}

static void refuse_unknown(struct resolving *r)
{
	size_t n = r->select.unreadable;

	ckpt_decide_refused(
		r->res, CKPT_REFUSE_UNKNOWN,
		"no checkpoint in %s could be proved good, and %zu could not be read: that is "
		"no reason for a fresh start. `ckptctl why --dir %s` tells more; requeue "
		"the job when they can be read",
		r->res->run_dirs[0], n, r->res->run_dirs[0]);
}

/* The reason of the first checkpoint that the validation turned away. */
static const char *turned_away_why(const struct ckpt_resolution *res)
{
	for (size_t i = 0; i < res->n_trail; i++)
		if (res->trail[i].fate == CKPT_FATE_PASSED_OVER &&
		    strstr(res->trail[i].why, "validation."))
			return res->trail[i].why;
	return "";
}

/* Progress is there and whole: a configuration that takes none of it must not cost it. */
static void refuse_turned_away(struct resolving *r)
{
	ckpt_decide_refused(
		r->res, CKPT_REFUSE_OPTION,
		"%zu whole checkpoints are there, and %s takes none of them (%s). Nothing was "
		"started: mend it and requeue the job",
		r->select.turned_away, r->res->config.file, turned_away_why(r->res));
}

/* A fresh start beside checkpoints says why. */
static void say_why_fresh(struct resolving *r)
{
	struct ckpt_resolution *res = r->res;
	const struct ckpt_run_config *config = &res->config;

	if (r->mode.kind == CKPT_MODE_FRESH && strcmp(r->req->mode, "fresh") == 0)
		snprintf(res->fresh_why, sizeof(res->fresh_why), "as asked");
	else if (r->mode.kind == CKPT_MODE_FRESH)
		snprintf(res->fresh_why, sizeof(res->fresh_why), "%s in %.400s",
			 config->no_restore ? "training.no_restore"
					    : "training.resume_from_checkpoint: false",
			 config->file);
	else if (r->select.turned_away)
		snprintf(res->fresh_why, sizeof(res->fresh_why),
			 "%zu whole ones turned away by %.300s", r->select.turned_away,
			 turned_away_why(res));
}

static void settle_none(struct resolving *r)
{
	struct ckpt_resolution *res = r->res;
	const char *lost = res->first ? NULL : ckpt_lost_directory(res);

	if (lost) {
		ckpt_decide_refused(
			res, CKPT_REFUSE_UNKNOWN,
			"no checkpoint was found, and %s, which may hold this run's%s%s, has lost "
			"its mark: is its file system mounted? Nothing was started",
			lost, res->state.recorded[0] ? " valid checkpoint " : " work",
			res->state.recorded);
		return;
	}
	if (r->select.turned_away && !res->first) {
		refuse_turned_away(r);
		return;
	}
	say_why_fresh(r);
	res->wants_fetch = !r->began_fresh && res->config.fetch[0] && !r->req->in_hook;
	ckpt_decide_fresh(res);
}

/* What an earlier attempt has fetched is where a run starts, and no progress of it. */
static void tell_fetched(struct ckpt_resolution *res)
{
	const char *into = res->config.fetch_into[0] ? res->config.fetch_into : CKPT_FETCH_INTO;
	struct ckpt_catalog *cat = &res->catalog;
	char dir[2 * CKPT_PATH_MAX];

	if (!res->config.fetch[0])
		return;
	snprintf(dir, sizeof(dir), "%s%s%s", into[0] == '/' ? "" : res->run_dirs[0],
		 into[0] == '/' ? "" : "/", into);
	for (size_t i = 0; i < cat->n_sets; i++)
		if (strcmp(cat->sets[i].dir, dir) == 0)
			cat->sets[i].role = CKPT_ROLE_PRETRAINED;
}

static int step_choose(struct resolving *r)
{
	struct ckpt_set *set = NULL;
	int e;

	tell_fetched(r->res);
	ckpt_lost_say(r->res);
	r->select = (struct ckpt_selection) {
		.ctx = r->ctx,
		.req = r->req,
		.res = r->res,
		.state = r->res->first ? NULL : &r->res->state,
		.config = &r->res->config,
		.level = strcmp(r->req->verify, "structure") == 0 ? CKPT_LEVEL_STRUCTURE
								  : CKPT_LEVEL_FULL,
	};
	e = choose(r, &set);
	if (e < 0)
		return e;
	r->res->unproved = r->select.unproved;
	r->res->unreadable = r->select.unreadable;
	if (e == 0)
		return ckpt_decide_chosen(r->ctx, r->req, r->res, set), DONE;
	if (ckpt_mode_is_pin(&r->mode))
		ckpt_decide_refused(r->res,
				    e == CKPT_SELECT_NONE ? CKPT_REFUSE_PIN : CKPT_REFUSE_UNKNOWN,
				    "%s", r->err->text);
	else if (e == CKPT_SELECT_UNKNOWN)
		refuse_unknown(r);
	else
		settle_none(r);
	return DONE;
}

static int (*const steps[])(struct resolving *r) = {
	step_directories, step_state, step_scan, step_law6, step_config, step_mode, step_choose,
};

int ckpt_resolve(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *ret,
		 struct ckpt_error *err)
{
	struct ckpt_error scratch = { 0 };
	struct resolving r = { .ctx = ctx, .req = req, .res = ret, .err = err ? err : &scratch };
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

int ckpt_resolve_fetched(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			 struct ckpt_resolution *res, const char *dir, struct ckpt_error *err)
{
	struct ckpt_catalog_options options = { .glob = "*" };
	struct ckpt_selection select = {
		.ctx = ctx,
		.req = req,
		.res = res,
		.config = &res->config,
		.level = CKPT_LEVEL_FULL,
	};
	struct ckpt_set *set = NULL;
	int e;

	ckpt_catalog_done(&res->former);
	res->former = res->catalog; /* the trail's sets are there */
	res->catalog = (struct ckpt_catalog) { 0 };
	e = ckpt_catalog_scan(ctx, &res->catalog, dir, res->n_run_dirs + 1, &options, err);
	if (e == 0)
		e = ckpt_select_auto(&select, &set);
	if (e < 0)
		return e;
	if (e == 0) {
		set->role = CKPT_ROLE_PRETRAINED;
		ckpt_decide_chosen(ctx, req, res, set);
	} else {
		ckpt_resolution_warn(res, "model.fetch left nothing valid in %s", dir);
	}
	return 0;
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
