/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See settle.h.
 */
#include "core/resolve/settle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/json.h"
#include "core/base/temporary.h"
#include "core/base/text.h"
#include "core/catalog/listed.h"
#include "core/catalog/order.h"
#include "core/integrity/quarantine.h"
#include "core/record/ledger.h"
#include "core/record/state.h"
#include "core/resolve/events.h"
#include "core/resolve/marker.h"
#include "core/resolve/settling.h"
#include "core/resolve/tally.h"
#include "core/resolve/trail.h"

void ckpt_settle_name(const struct ckpt_request *req, char *buf)
{
	snprintf(buf, CKPT_SETTLE_NAME, "decision-%s-%lld-%lld.json", req->cluster,
		 (long long)req->job_id, (long long)req->attempt);
}

/* A look at what would be decided: neither a job nor a run of `ckptctl env`. */
static bool is_by_hand(const struct ckpt_request *req)
{
	return req->job_id == 0 && strcmp(req->cluster, CKPT_LOCAL_CLUSTER) != 0;
}

/* Opens the state directory of @root; makes both where this attempt begins the run. */
static int open_state(const struct ckpt_settling *s, const char *root, struct ckpt_error *err)
{
	bool make =
		s->res->first && !s->req->in_hook && strcmp(s->res->decision.mode, "refused") != 0;

	return make ? ckpt_state_make_in(root, err) : ckpt_state_open_in(root, err);
}

/* Whether @id is the file that this attempt starts from, by whatever name. */
static bool is_base(const struct ckpt_resolution *res, const struct ckpt_identity *id)
{
	const struct ckpt_identity *base = res->chosen ? &res->chosen->report->identity : NULL;

	return base && base->ino == id->ino && base->size == id->size &&
	       base->mtime_ns == id->mtime_ns;
}

static int note_catalog(const struct ckpt_resolution *res, const struct ckpt_catalog *cat,
			struct ckpt_mark *mark)
{
	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_identity id;

		if (ckpt_set_identity(&cat->sets[i], &id) == 0 && !is_base(res, &id) &&
		    ckpt_mark_add(mark, cat->sets[i].name, &id) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What is there and is not where this run begins. */
static int note_foreign(const struct ckpt_settling *s, struct ckpt_mark *mark)
{
	struct ckpt_identity marker;

	if (note_catalog(s->res, &s->res->former, mark) < 0 ||
	    note_catalog(s->res, &s->res->catalog, mark) < 0)
		return -ENOMEM;
	/* that of a run before this one says nothing of this one's end */
	if (ckpt_marker_look(s->res, &marker) == 0 &&
	    ckpt_mark_add(mark, s->res->config.end_marker, &marker) < 0)
		return -ENOMEM;
	ckpt_mark_sort(mark);
	return 0;
}

static int fill_mark(const struct ckpt_settling *s, struct ckpt_mark *mark)
{
	const struct ckpt_run_state *state = &s->res->state;
	const struct ckpt_decision *d = &s->res->decision;

	ckpt_text_copy(mark->run, sizeof(mark->run), d->run);
	ckpt_text_copy(mark->cluster, sizeof(mark->cluster), s->req->cluster);
	ckpt_text_copy(mark->base_mode, sizeof(mark->base_mode), d->mode);
	mark->job_id = s->req->job_id;
	mark->array_task = s->req->array_task;
	if (state->have_mark && !state->ours) {
		ckpt_text_copy(mark->continues, sizeof(mark->continues), state->mark.run);
		mark->continues_job = state->mark.job_id;
	}
	if (s->res->chosen) {
		struct ckpt_position position = ckpt_order_position(s->res->chosen);

		ckpt_mark_set_base(mark, d->tag, &position);
	}
	return note_foreign(s, mark);
}

/* Attempt 0's mark, in every run directory that takes it. */
static void leave_marks(struct ckpt_settling *s)
{
	_cleanup_mark_ struct ckpt_mark mark = { 0 };
	struct ckpt_error err = { 0 };
	int marked = 0;

	if (!s->res->first || s->req->in_hook || is_by_hand(s->req) ||
	    (!s->res->decision.run[0] && ckpt_run_id(s->res->decision.run) < 0) ||
	    fill_mark(s, &mark) < 0)
		return;
	for (int i = 0; i < s->res->roots.n; i++) {
		_cleanup_close_ int statefd = open_state(s, s->res->roots.dir[i], &err);

		if (statefd >= 0 && ckpt_mark_store(statefd, &mark, &err) == 0)
			marked++;
	}
	if (marked == 0)
		ckpt_resolution_warn(
			s->res,
			"no mark could be left in %s (%s): a later attempt will not start "
			"without it; --ckpt-state=DIR names another place",
			s->res->roots.dir[0], err.text);
}

/* decision-CLUSTER-JOB-ATTEMPT.json in every state directory; the first one is the job's
 * CKPT_DECISION. */
static void store_decision(struct ckpt_settling *s)
{
	struct ckpt_decision *d = &s->res->decision;
	char name[CKPT_SETTLE_NAME];

	if (is_by_hand(s->req))
		return;
	ckpt_settle_name(s->req, name);
	for (int i = 0; i < s->res->roots.n; i++) {
		const char *root = s->res->roots.dir[i];
		_cleanup_close_ int statefd = open_state(s, root, NULL);
		_cleanup_json_ cJSON *json = NULL;
		bool first = !d->decision_file[0];

		if (statefd < 0)
			continue;
		if (first)
			snprintf(d->decision_file, sizeof(d->decision_file), "%s/%s/%s", root,
				 CKPT_STATE_DIR, name);
		json = ckpt_resolution_json(s->res);
		if (json && ckpt_json_store(statefd, name, json, NULL) == 0)
			ckpt_temporary_sweep(statefd, name);
		else if (first)
			d->decision_file[0] = '\0';
	}
}

void ckpt_settling_append(struct ckpt_settling *s, cJSON *event)
{
	_cleanup_json_ cJSON *owned = event;

	for (int i = 0; owned && i < s->res->roots.n; i++) {
		_cleanup_close_ int statefd = open_state(s, s->res->roots.dir[i], NULL);
		struct ckpt_error err = { 0 };

		if (statefd >= 0 && ckpt_ledger_append(statefd, owned, &err) < 0)
			ckpt_resolution_warn(s->res, "%s", err.text);
	}
}

/* Whether @set lies in or below a requested directory. */
static bool in_request(const struct ckpt_resolution *res, const struct ckpt_set *set)
{
	for (int i = 0; set->run >= 0 && i < res->n_run_dirs; i++) {
		size_t len = strlen(res->run_dirs[i]);

		if (strncmp(set->dir, res->run_dirs[i], len) == 0 &&
		    (set->dir[len] == '\0' || set->dir[len] == '/'))
			return true;
	}
	return false;
}

static void quarantine_one(struct ckpt_settling *s, const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	_cleanup_close_ int statefd = dirfd < 0 ? -1 : ckpt_state_make(dirfd, NULL);
	struct ckpt_error err = { 0 };
	int r;

	if (statefd < 0)
		return;
	r = set->report->verdict.status == CKPT_INCOMPLETE
		    ? ckpt_quarantine_unfinished(s->ctx, dirfd, statefd, set, &err)
		    : ckpt_quarantine(s->ctx, dirfd, statefd, set, &err);
	if (r == 0)
		ckpt_resolution_warn(s->res, "%s is in quarantine (`ckptctl release` undoes it)",
				     set->name);
	else if (r == CKPT_QUARANTINE_WRITTEN)
		ckpt_resolution_warn(s->res, "%s", err.text);
	else if (r < 0)
		ckpt_resolution_warn(s->res, "%s could not be put in quarantine: %s", set->name,
				     err.text);
}

/*
 * Whether nobody can still be writing what the attempts before left: Slurm ended the last one on
 * all its nodes, and no other job is at work here.
 */
static bool writers_are_gone(const struct ckpt_resolution *res)
{
	return !res->first && res->state.ended && strcmp(res->state.cause, "node-fail") != 0 &&
	       strcmp(res->state.cause, "unknown") != 0 && !res->state.live_job;
}

/*
 * Law 7: damage of the bytes alone, by a second read, inside the run directories. One that was cut
 * short goes too where the decision falls back behind it: programs that take the highest number, or
 * the name "last", would take it again (law 9).
 */
static bool is_in_the_way(const struct ckpt_resolution *res, const struct ckpt_trail_entry *e)
{
	enum ckpt_status status;

	if (e->fate != CKPT_FATE_REJECTED || !e->set || !e->set->report || !in_request(res, e->set))
		return false;
	status = e->set->report->verdict.status;
	return status == CKPT_CORRUPT || (status == CKPT_INCOMPLETE && writers_are_gone(res) &&
					  strcmp(res->decision.mode, "resume") == 0);
}

static void quarantine(struct ckpt_settling *s)
{
	if (strcmp(s->req->quarantine, "off") == 0 || strcmp(s->req->quarantine, "mark") == 0)
		return; /* the ledger's decision entry is the mark */
	for (size_t i = 0; i < s->res->n_trail; i++)
		if (is_in_the_way(s->res, &s->res->trail[i]))
			quarantine_one(s, s->res->trail[i].set);
}

/* Whether the rejected @e would be taken before the decision's by what takes the highest number. */
static bool is_ahead(const struct ckpt_resolution *res, const struct ckpt_trail_entry *e)
{
	const struct ckpt_set *chosen = res->chosen;

	if (e->fate != CKPT_FATE_REJECTED || !e->set || !e->set->report || !in_request(res, e->set))
		return false;
	if (!chosen)
		return true;
	return strcmp(e->set->dir, chosen->dir) == 0 &&
	       (e->newer || strcmp(e->set->series, chosen->series) != 0);
}

void ckpt_settle_say_staying(struct ckpt_resolution *res, bool settled)
{
	for (size_t i = 0; i < res->n_trail; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];
		const char *taker = is_ahead(res, e) ? ckpt_set_newest_taker(e->set) : NULL;
		_cleanup_close_ int dirfd = taker ? ckpt_dir_open(AT_FDCWD, e->set->dir, NULL) : -1;

		if (dirfd < 0 || !ckpt_dir_has(dirfd, e->set->name) ||
		    (!settled && ckpt_quarantine_is_damage(e->set->report, true)))
			continue;
		ckpt_resolution_warn(res,
				     "%.80s stays where it is, and what takes the highest number, "
				     "as %s does, would start from it: use $CKPT_RESUME_PATH "
				     "there, or move %.80s out of the directory",
				     e->set->name, taker, e->set->name);
		return; /* the highest one */
	}
}

/* Pointers may only follow the decision that the job was given. */
static bool is_as_decided(const struct ckpt_request *req, struct ckpt_resolution *res)
{
	if (!req->decided[0] || strcmp(req->decided, res->decision.path) == 0)
		return true;
	ckpt_resolution_warn(
		res,
		"the checkpoints have changed since the prolog decided: epoch_info.json and "
		"pointer files are left as they are, and may name another than %s",
		CKPT_QUOTE(req->decided));
	return false;
}

void ckpt_settle_pointers(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			  struct ckpt_resolution *res)
{
	struct ckpt_settling s = { .ctx = ctx, .req = req, .res = res };

	if (!is_as_decided(req, res))
		return;
	if (req->in_hook || strcmp(res->decision.mode, "refused") == 0)
		return;
	/* pointers first: none dangles if this is interrupted in between */
	if (res->decision.settle)
		ckpt_align(&s);
	quarantine(&s);
	if (res->decision.settle)
		ckpt_align_copies(&s);
	ckpt_settle_say_staying(res, true);
	res->decision.settle = 0;
}

void ckpt_settle(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *res)
{
	struct ckpt_settling s = { .ctx = ctx, .req = req, .res = res };

	if (strcmp(res->decision.mode, "refused") != 0)
		leave_marks(&s);
	ckpt_tally(res, &res->decision);
	ckpt_settle_pointers(ctx, req, res);
	store_decision(&s);
	ckpt_settling_append(&s, ckpt_event_decision(req, res));
}
