/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts, trails and decisions as the contract's JSON.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/json.h"
#include "core/catalog/order.h"
#include "core/resolve/resolve.h"

static void add_problem(cJSON *o, const struct ckpt_problem *problem)
{
	cJSON *p;

	if (problem->code == CKPT_PROBLEM_NONE) {
		cJSON_AddNullToObject(o, "problem");
		return;
	}
	p = cJSON_AddObjectToObject(o, "problem");
	ckpt_json_add_text(p, "code", ckpt_problem_name(problem->code));
	ckpt_json_add_text(p, "file", problem->file);
	ckpt_json_add_number(p, "offset", problem->offset != CKPT_NO_OFFSET,
			     (double)problem->offset);
	ckpt_json_add_text(p, "member", problem->member);
	ckpt_json_add_text(p, "detail", problem->detail);
}

static void add_poisoned(cJSON *list, const struct ckpt_poisoned *p)
{
	cJSON *o = cJSON_CreateObject();

	ckpt_json_add_text(o, "file", p->file);
	ckpt_json_add_text(o, "tensor", p->tensor);
	cJSON_AddNumberToObject(o, "nan", (double)p->nan);
	cJSON_AddNumberToObject(o, "inf", (double)p->inf);
	cJSON_AddNumberToObject(o, "offset", (double)p->offset);
	cJSON_AddItemToArray(list, o);
}

/* What a look for NaN and Inf found; the key is there where somebody looked. */
static void add_finite(cJSON *o, const struct ckpt_finiteness *f)
{
	cJSON *finite, *list;

	finite = cJSON_AddObjectToObject(o, "finite");
	cJSON_AddNumberToObject(finite, "tensors", (double)f->tensors);
	cJSON_AddNumberToObject(finite, "poisoned", (double)f->poisoned);
	cJSON_AddNumberToObject(finite, "nan", (double)f->nan);
	cJSON_AddNumberToObject(finite, "inf", (double)f->inf);
	cJSON_AddNumberToObject(finite, "not_looked_through", (double)f->unscanned);
	ckpt_json_add_text(finite, "why", f->why);
	list = cJSON_AddArrayToObject(finite, "first");
	for (int i = 0; i < f->n_named; i++)
		add_poisoned(list, &f->named[i]);
}

static cJSON *difference_json(const struct ckpt_differing_range *d)
{
	cJSON *o = cJSON_CreateObject();

	ckpt_json_add_text(o, "file", d->file);
	cJSON_AddNumberToObject(o, "offset", (double)d->off);
	cJSON_AddNumberToObject(o, "length", (double)d->len);
	ckpt_json_add_text(o, "member", d->member);
	return o;
}

/* Where files are not as digests say; the key is there where such a place was found. */
static void add_differing(cJSON *o, const struct ckpt_differing *all)
{
	cJSON *differing, *list;

	if (all->ranges == 0)
		return;
	differing = cJSON_AddObjectToObject(o, "differing");
	cJSON_AddNumberToObject(differing, "ranges", (double)all->ranges);
	cJSON_AddNumberToObject(differing, "bytes", (double)all->bytes);
	cJSON_AddBoolToObject(differing, "all_compared", !all->cut);
	list = cJSON_AddArrayToObject(differing, "first");
	for (int i = 0; i < all->n_named; i++)
		cJSON_AddItemToArray(list, difference_json(&all->named[i]));
}

/* What a check adds; without one the keys are there and null. */
static void add_report(cJSON *o, const struct ckpt_report *report)
{
	static const struct ckpt_verdict none;
	const struct ckpt_verdict *v = report ? &report->verdict : &none;
	cJSON *keys = cJSON_AddArrayToObject(o, "keys");

	for (int i = 0; report && i < report->n_keys; i++)
		cJSON_AddItemToArray(keys, cJSON_CreateString(report->keys[i]));
	ckpt_json_add_number(o, "size_bytes",
			     report && (v->size_bytes || v->status < CKPT_UNREADABLE),
			     (double)v->size_bytes);
	ckpt_json_add_number(o, "bytes_read", report, (double)v->bytes_read);
	ckpt_json_add_number(o, "seconds", report, v->seconds);
	add_problem(o, &v->problem);
	ckpt_json_add_text(o, "note", v->note);
	ckpt_json_add_text(o, "framework", report ? report->framework : NULL);
	if (report && ckpt_finiteness_looked(&report->finite))
		add_finite(o, &report->finite);
	if (report)
		add_differing(o, &report->differing);
}

static cJSON *verdict_json(const char *path, const struct ckpt_set *set,
			   const struct ckpt_report *report)
{
	struct ckpt_position p = { 0 };
	cJSON *o = cJSON_CreateObject();

	if (!o)
		return NULL;
	if (set)
		p = ckpt_order_position(set);
	ckpt_json_add_text(o, "path", path);
	ckpt_json_add_text(o, "verdict", report ? ckpt_status_name(report->verdict.status) : NULL);
	ckpt_json_add_text(o, "evidence",
			   report && report->verdict.status == CKPT_VALID
				   ? ckpt_evidence_name(report->verdict.evidence)
				   : NULL);
	ckpt_json_add_text(o, "format", report && report->format ? report->format->name : NULL);
	ckpt_json_add_text(o, "layout", set ? set->layout : NULL);
	ckpt_json_add_text(o, "role", set ? ckpt_role_name(set->role) : NULL);
	ckpt_json_add_text(o, "contents", report ? ckpt_contents_name(report->contents) : NULL);
	ckpt_json_add_number(o, "epoch", p.has_epoch, p.epoch);
	ckpt_json_add_number(o, "step", p.has_step, (double)p.step);
	ckpt_json_add_number(o, "loss", p.has_loss, p.loss);
	ckpt_json_add_text(o, "epoch_meaning", p.has_epoch ? ckpt_meaning_name(p.meaning) : NULL);
	add_report(o, report);
	return o;
}

cJSON *ckpt_set_json(const struct ckpt_set *set)
{
	char path[CKPT_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", set->dir, set->name);
	return verdict_json(path, set, set->report);
}

cJSON *ckpt_path_json(const char *path, const struct ckpt_report *report)
{
	return verdict_json(path, NULL, report);
}

static void add_trail(cJSON *o, const struct ckpt_resolution *resolution)
{
	cJSON *trail = cJSON_AddArrayToObject(o, "trail");

	for (size_t i = 0; i < resolution->n_trail; i++) {
		const struct ckpt_trail_entry *e = &resolution->trail[i];
		cJSON *entry = cJSON_CreateObject();

		ckpt_json_add_text(entry, "fate", ckpt_fate_name(e->fate));
		ckpt_json_add_text(entry, "why", e->why);
		if (e->fate == CKPT_FATE_REJECTED)
			cJSON_AddBoolToObject(entry, "newer", e->newer);
		cJSON_AddItemToObject(entry, "checkpoint",
				      e->set ? ckpt_set_json(e->set) : cJSON_CreateNull());
		cJSON_AddItemToArray(trail, entry);
	}
	cJSON_AddNumberToObject(o, "not_looked_at", (double)resolution->n_unseen);
}

/* Names that look like checkpoints and do not count. */
static void add_skipped(cJSON *o, const struct ckpt_catalog *cat)
{
	cJSON *list = cJSON_AddArrayToObject(o, "skipped");

	for (size_t i = 0; i < ckpt_catalog_skipped(cat); i++) {
		cJSON *entry = cJSON_CreateObject();

		ckpt_json_add_text(entry, "name", cat->skipped[i].name);
		ckpt_json_add_text(entry, "code", ckpt_problem_name(cat->skipped[i].code));
		ckpt_json_add_text(entry, "why", cat->skipped[i].why);
		cJSON_AddItemToArray(list, entry);
	}
}

static void add_field(cJSON *o, const struct ckpt_field *row, const void *object)
{
	char buf[32];
	const char *text = ckpt_field_get(row, object, buf, sizeof(buf));

	if (row->type == CKPT_FIELD_INT)
		cJSON_AddNumberToObject(
			o, row->key,
			(double)*(const int64_t *)((const char *)object + row->offset));
	else
		cJSON_AddStringToObject(o, row->key, text);
}

cJSON *ckpt_resolution_json(const struct ckpt_resolution *resolution)
{
	cJSON *o = cJSON_CreateObject(), *dirs;

	if (!o)
		return NULL;
	for (size_t i = 0; i < ckpt_decision_fields.n; i++)
		add_field(o, &ckpt_decision_fields.rows[i], &resolution->decision);
	dirs = cJSON_AddArrayToObject(o, "run_dirs");
	for (int i = 0; i < resolution->n_run_dirs; i++)
		cJSON_AddItemToArray(dirs, cJSON_CreateString(resolution->run_dirs[i]));
	add_trail(o, resolution);
	add_skipped(o, &resolution->catalog);
	return o;
}
