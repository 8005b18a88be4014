/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See choose.h.
 */
#include "core/resolve/choose.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/resolve/decide.h"
#include "core/resolve/lost.h"
#include "core/resolve/rules.h"
#include "core/resolve/stray.h"
#include "core/resolve/trail.h"

/* Bytes of a path below the run directory: always enough. */
#define JOINED_MAX (2 * CKPT_PATH_MAX)

/* What the run configuration names: absolute, or below the run directory. Returns @buf (JOINED_MAX
 * bytes). */
static const char *below_run_dir(const struct ckpt_resolution *res, const char *text, char *buf)
{
	bool absolute = text[0] == '/';

	snprintf(buf, JOINED_MAX, "%s%s%s", absolute ? "" : res->run_dirs[0], absolute ? "" : "/",
		 text);
	return buf;
}

struct ckpt_mode ckpt_choose_config_pin(struct ckpt_resolving *r, const char *text)
{
	if (!strchr(text, '/'))
		return (struct ckpt_mode) { CKPT_MODE_NAME, 0, text };
	return (struct ckpt_mode) { CKPT_MODE_PATH, 0, below_run_dir(r->res, text, r->pin_path) };
}

/* model.custom_checkpoint: named by the user, so it is taken or refused, never replaced. */
static int choose_custom(struct ckpt_resolving *r, struct ckpt_set **ret)
{
	const char *text = r->res->config.custom_checkpoint;

	if (!text[0] || !r->res->first)
		return CKPT_SELECT_NONE;
	r->mode = ckpt_choose_config_pin(r, text); /* what goes wrong with it is a pin's fault */
	return ckpt_select_pinned(&r->select, &r->mode, ret, r->err);
}

/* model.pretrained, relative to the run directory. What cannot be used is said: it was named for a
 * reason. */
static int choose_named_pretrained(struct ckpt_resolving *r, struct ckpt_set **ret)
{
	const char *text = r->res->config.pretrained;
	struct ckpt_trail_entry *entry = NULL;
	struct ckpt_set *set = NULL;
	int e;

	if (!text[0])
		return CKPT_SELECT_NONE;
	e = ckpt_catalog_add_path(r->ctx, &r->res->catalog,
				  below_run_dir(r->res, text, r->pin_path), &set, r->err);
	if (e == 0) {
		set->role = CKPT_ROLE_PRETRAINED;
		ckpt_set_ask(set);
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

static int choose_pretrained(struct ckpt_resolving *r, struct ckpt_set **ret)
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

static int choose(struct ckpt_resolving *r, struct ckpt_set **ret)
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

static void refuse_unknown(struct ckpt_resolving *r)
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
static void refuse_turned_away(struct ckpt_resolving *r)
{
	ckpt_decide_refused(
		r->res, CKPT_REFUSE_OPTION,
		"%zu whole checkpoints are there, and %s takes none of them (%s). Nothing was "
		"started: mend it and requeue the job",
		r->select.turned_away, r->res->config.file, turned_away_why(r->res));
}

/* The same where the site takes none of it. */
static void refuse_poisoned(struct ckpt_resolving *r)
{
	ckpt_decide_refused(
		r->res, CKPT_REFUSE_OPTION,
		"%zu whole checkpoints are there, and all hold NaN or Inf, which this site does "
		"not resume from (RejectNonFinite=%s). Nothing was started: `ckptctl why` names "
		"the tensors; --ckpt-resume=fresh begins anew",
		r->select.poisoned, r->req->reject_non_finite);
}

/* A fresh start beside checkpoints says why. */
static void say_why_fresh(struct ckpt_resolving *r)
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
	else if (r->select.poisoned)
		snprintf(res->fresh_why, sizeof(res->fresh_why),
			 "%zu whole ones hold NaN or Inf (RejectNonFinite=%s)", r->select.poisoned,
			 r->req->reject_non_finite);
	else if (r->select.turned_away)
		snprintf(res->fresh_why, sizeof(res->fresh_why),
			 "%zu whole ones turned away by %.300s", r->select.turned_away,
			 turned_away_why(res));
	else if (res->catalog.n_sets == 0 && !r->req->in_hook)
		ckpt_stray_find(r->ctx, res, res->fresh_why, sizeof(res->fresh_why));
}

static void settle_none(struct ckpt_resolving *r)
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
	if (r->select.poisoned && !res->first) {
		refuse_poisoned(r);
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
	char dir[JOINED_MAX];

	if (!res->config.fetch[0])
		return;
	below_run_dir(res, into, dir);
	for (size_t i = 0; i < cat->n_sets; i++)
		if (strcmp(cat->sets[i].dir, dir) == 0)
			cat->sets[i].role = CKPT_ROLE_PRETRAINED;
}

/* A site that does not take NaN has them looked for, whatever else is asked. */
static enum ckpt_level level_of(const struct ckpt_request *req)
{
	if (strcmp(req->reject_non_finite, "yes") == 0 ||
	    strcmp(req->reject_non_finite, "any") == 0)
		return CKPT_LEVEL_FINITE;
	return strcmp(req->verify, "structure") == 0 ? CKPT_LEVEL_STRUCTURE : CKPT_LEVEL_FULL;
}

/* Those that earlier attempts failed from, and this one does not start from. */
static void say_poisoned(struct ckpt_resolution *res, const struct ckpt_set *chosen)
{
	for (size_t i = 0; i < res->n_trail; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];

		if (e->set && e->set != chosen && e->fate == CKPT_FATE_PASSED_OVER &&
		    ckpt_text_starts(e->why, CKPT_RULE_POISON, NULL))
			ckpt_resolution_warn(res, "%s is passed over: %s", e->set->name, e->why);
	}
}

struct ckpt_selection ckpt_choose_selection(struct ckpt_ctx *ctx, const struct ckpt_request *req,
					    struct ckpt_resolution *res)
{
	return (struct ckpt_selection) {
		.ctx = ctx,
		.req = req,
		.res = res,
		.state = res->first ? NULL : &res->state,
		.config = &res->config,
		.level = level_of(req),
		.sample = strcmp(req->verify, "sample") == 0,
	};
}

int ckpt_choose(struct ckpt_resolving *r)
{
	struct ckpt_set *set = NULL;
	int e;

	r->ctx->seed = (uint64_t)r->req->attempt;
	tell_fetched(r->res);
	ckpt_lost_say(r->res);
	r->select = ckpt_choose_selection(r->ctx, r->req, r->res);
	e = choose(r, &set);
	if (e < 0)
		return e;
	r->res->unproved = r->select.unproved;
	r->res->unreadable = r->select.unreadable;
	say_poisoned(r->res, e == 0 ? set : NULL);
	if (e == 0)
		return ckpt_decide_chosen(r->ctx, r->req, r->res, set), CKPT_STEP_DONE;
	if (ckpt_mode_is_pin(&r->mode))
		ckpt_decide_refused(r->res,
				    e == CKPT_SELECT_NONE ? CKPT_REFUSE_PIN : CKPT_REFUSE_UNKNOWN,
				    "%s", r->err->text);
	else if (e == CKPT_SELECT_UNKNOWN)
		refuse_unknown(r);
	else
		settle_none(r);
	return CKPT_STEP_DONE;
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
		.level = level_of(req) < CKPT_LEVEL_FULL ? CKPT_LEVEL_FULL : level_of(req),
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
