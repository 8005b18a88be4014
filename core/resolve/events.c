/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See events.h.
 */
#include "core/resolve/events.h"

#include <errno.h>
#include <math.h>

#include "core/catalog/order.h"
#include "core/record/ledger.h"
#include "core/resolve/past.h"

#define REJECTED_MAX 16 /* entries named in one ledger line */

cJSON *ckpt_event_new(const struct ckpt_request *req, const char *event)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "event", event);
	cJSON_AddNumberToObject(o, "job_id", (double)req->job_id);
	cJSON_AddStringToObject(o, "cluster", req->cluster);
	cJSON_AddNumberToObject(o, "attempt", (double)req->attempt);
	cJSON_AddStringToObject(o, "node", req->node);
	return o;
}

/* One that is whole and was turned down all the same (RejectNonFinite=) is "rejected". */
static void add_verdict(cJSON *o, const struct ckpt_report *report)
{
	const struct ckpt_verdict *v = &report->verdict;
	bool whole = v->status == CKPT_VALID;
	char id[80];

	cJSON_AddStringToObject(o, "verdict", whole ? "rejected" : ckpt_status_name(v->status));
	cJSON_AddStringToObject(o, "problem", ckpt_problem_name(v->problem.code));
	cJSON_AddStringToObject(o, "id", ckpt_past_id(id, sizeof(id), &report->identity));
}

static void add_rejected(cJSON *o, const struct ckpt_resolution *res)
{
	cJSON *list = cJSON_AddArrayToObject(o, "rejected");
	int n = 0;

	for (size_t i = 0; i < res->n_trail && n < REJECTED_MAX; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];
		cJSON *entry;

		if (e->fate != CKPT_FATE_REJECTED || !e->set)
			continue;
		entry = cJSON_CreateObject();
		cJSON_AddStringToObject(entry, "name", e->set->name);
		if (e->set->report)
			add_verdict(entry, e->set->report);
		cJSON_AddStringToObject(entry, "why", e->why);
		cJSON_AddItemToArray(list, entry);
		n++;
	}
}

static void add_position(cJSON *o, const struct ckpt_set *set)
{
	struct ckpt_position p = ckpt_order_position(set);
	char id[80];

	if (set->report)
		cJSON_AddStringToObject(o, "id",
					ckpt_past_id(id, sizeof(id), &set->report->identity));
	if (p.has_step)
		cJSON_AddNumberToObject(o, "step", (double)p.step);
	if (p.has_epoch)
		cJSON_AddNumberToObject(o, "epoch", p.epoch);
	if (p.has_loss && isfinite(p.loss)) {
		cJSON_AddNumberToObject(o, "loss", p.loss);
		cJSON_AddStringToObject(o, "loss_key", p.loss_key);
	}
}

static void add_choice(cJSON *o, const struct ckpt_resolution *res)
{
	cJSON_AddStringToObject(o, "run", res->decision.run);
	cJSON_AddStringToObject(o, "evidence", res->decision.evidence);
	if (res->chosen)
		add_position(o, res->chosen);
}

cJSON *ckpt_event_decision(const struct ckpt_request *req, const struct ckpt_resolution *res)
{
	const struct ckpt_decision *d = &res->decision;
	cJSON *o = ckpt_event_new(req, "decision");

	cJSON_AddStringToObject(o, "where", req->in_hook ? "prolog" : "step");
	if (req->hooks || req->in_hook)
		cJSON_AddNumberToObject(o, "hooks", 1);
	cJSON_AddStringToObject(o, "mode", d->mode);
	cJSON_AddStringToObject(o, "reason", d->reason);
	cJSON_AddStringToObject(o, "path", d->path);
	cJSON_AddStringToObject(o, "line", d->line);
	if (d->refusal)
		cJSON_AddNumberToObject(o, "refusal", (double)d->refusal);
	add_choice(o, res);
	add_rejected(o, res);
	return o;
}

cJSON *ckpt_event_align(const struct ckpt_request *req, const char *file, const char *to)
{
	cJSON *o = ckpt_event_new(req, "align");

	cJSON_AddStringToObject(o, "file", file);
	cJSON_AddStringToObject(o, "to", to);
	return o;
}

cJSON *ckpt_event_note(const struct ckpt_request *req, const char *run)
{
	cJSON *o = ckpt_event_new(req, req->note);

	cJSON_AddStringToObject(o, "why", req->note_why);
	cJSON_AddStringToObject(o, "by", req->note_by);
	cJSON_AddStringToObject(o, "run", run);
	return o;
}

cJSON *ckpt_event_end(const struct ckpt_request *req, const struct ckpt_resolution *res)
{
	cJSON *o = ckpt_event_new(req, "end");

	cJSON_AddStringToObject(o, "cause", req->reason);
	if (req->status_known)
		cJSON_AddNumberToObject(o, "batch_status", (double)req->batch_status);
	if (req->finished)
		cJSON_AddNumberToObject(o, "finished", 1);
	if (res->chosen) {
		cJSON_AddStringToObject(o, "newest_valid", res->chosen->name);
		cJSON_AddStringToObject(o, "newest_dir", res->chosen->dir);
	}
	add_choice(o, res);
	add_rejected(o, res);
	return o;
}

cJSON *ckpt_event_checkpoint(const struct ckpt_request *req, const struct ckpt_resolution *res,
			     const struct ckpt_set *set)
{
	const struct ckpt_verdict *verdict = &set->report->verdict;
	cJSON *o = ckpt_event_new(req, "checkpoint");

	cJSON_AddStringToObject(o, "run", res->decision.run);
	cJSON_AddStringToObject(o, "name", set->name);
	cJSON_AddStringToObject(o, "dir", set->dir);
	cJSON_AddStringToObject(o, "verdict", ckpt_status_name(verdict->status));
	cJSON_AddStringToObject(o, "evidence", ckpt_evidence_name(verdict->evidence));
	if (verdict->status != CKPT_VALID) {
		cJSON_AddStringToObject(o, "problem", ckpt_problem_name(verdict->problem.code));
		cJSON_AddStringToObject(o, "detail", verdict->problem.detail);
	}
	add_position(o, set);
	cJSON_AddNumberToObject(o, "size_bytes", (double)verdict->size_bytes);
	cJSON_AddNumberToObject(o, "seconds", verdict->seconds);
	return o;
}

int ckpt_event_append(const struct ckpt_roots *roots, cJSON *entry, struct ckpt_error *err)
{
	int recorded = 0, r = -ENOENT;

	for (int i = 0; entry && i < roots->n; i++) {
		_cleanup_close_ int statefd = ckpt_state_open_in(roots->dir[i], err);

		r = statefd < 0 ? statefd : ckpt_ledger_append(statefd, entry, err);
		recorded += r == 0;
	}
	return recorded ? 0 : r;
}
