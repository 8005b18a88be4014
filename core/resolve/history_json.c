/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A history as JSON: see history.h. What is not known is null.
 */
#include <stdio.h>
#include <time.h>

#include "core/base/json.h"
#include "core/resolve/history.h"

static void add_seconds(cJSON *o, const char *key, int64_t s)
{
	ckpt_json_add_number(o, key, s != CKPT_HISTORY_UNKNOWN, (double)s);
}

static void add_time(cJSON *o, const char *key, int64_t at)
{
	time_t t = (time_t)at;
	char text[32] = "";
	struct tm tm;

	if (at != CKPT_HISTORY_UNKNOWN && gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	ckpt_json_add_text(o, key, text);
}

static void add_position(cJSON *o, const char *key, const struct ckpt_position *p)
{
	cJSON *position = cJSON_AddObjectToObject(o, key);

	ckpt_json_add_number(position, "step", p->has_step, (double)p->step);
	ckpt_json_add_number(position, "epoch", p->has_epoch, p->epoch);
}

static cJSON *saved_json(const struct ckpt_history_saved *s)
{
	cJSON *o = cJSON_CreateObject();

	ckpt_json_add_text(o, "name", s->name);
	ckpt_json_add_text(o, "verdict", s->verdict);
	ckpt_json_add_text(o, "evidence", s->evidence);
	ckpt_json_add_text(o, "problem", s->problem);
	ckpt_json_add_number(o, "step", s->position.has_step, (double)s->position.step);
	ckpt_json_add_number(o, "epoch", s->position.has_epoch, s->position.epoch);
	ckpt_json_add_number(o, "loss", s->position.has_loss, s->position.loss);
	cJSON_AddNumberToObject(o, "size_bytes", (double)s->size);
	ckpt_json_add_number(o, "seconds", true, s->seconds);
	add_time(o, "at", s->at);
	return o;
}

static cJSON *note_json(const struct ckpt_history_note *n)
{
	cJSON *o = cJSON_CreateObject();

	ckpt_json_add_text(o, "event", n->event);
	ckpt_json_add_text(o, "why", n->why);
	add_time(o, "at", n->at);
	return o;
}

static void add_times(cJSON *o, const struct ckpt_history_attempt *a)
{
	add_time(o, "began", a->began);
	add_time(o, "ended", a->over);
	ckpt_json_add_text(o, "node", a->began_node);
	add_seconds(o, "ran_seconds", a->ran_s);
	add_seconds(o, "waited_seconds", a->waited_s);
	ckpt_json_add_number(o, "lost_steps", a->has_lost_steps, (double)a->lost_steps);
	ckpt_json_add_number(o, "lost_epochs", a->has_lost_epochs, a->lost_epochs);
	add_seconds(o, "lost_seconds", a->lost_s);
}

static cJSON *attempt_json(const struct ckpt_history_attempt *a)
{
	cJSON *o = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(o, "job_id", (double)a->job_id);
	cJSON_AddNumberToObject(o, "attempt", (double)a->attempt);
	ckpt_json_add_text(o, "cluster", a->cluster);
	ckpt_json_add_text(o, "run", a->run);
	ckpt_json_add_text(o, "mode", a->mode);
	ckpt_json_add_text(o, "reason", a->reason);
	ckpt_json_add_text(o, "cause", a->cause);
	cJSON_AddBoolToObject(o, "end_recorded", a->ended);
	ckpt_json_add_text(o, "from", a->from);
	ckpt_json_add_text(o, "evidence", a->evidence);
	add_position(o, "from_position", &a->from_position);
	ckpt_json_add_text(o, "to", a->to);
	add_position(o, "reached", &a->reached);
	add_times(o, a);
	cJSON_AddNumberToObject(o, "valid", (double)a->valid);
	cJSON_AddNumberToObject(o, "rejected", (double)a->rejected);
	list = cJSON_AddArrayToObject(o, "checkpoints");
	for (size_t i = 0; i < a->n_saved; i++)
		cJSON_AddItemToArray(list, saved_json(&a->saved[i]));
	list = cJSON_AddArrayToObject(o, "events");
	for (size_t i = 0; i < a->n_notes; i++)
		cJSON_AddItemToArray(list, note_json(&a->notes[i]));
	return o;
}

static void add_sums(cJSON *o, const struct ckpt_history *h)
{
	struct ckpt_history_sums s = ckpt_history_sum(h);
	cJSON *sums = cJSON_AddObjectToObject(o, "sums");

	cJSON_AddNumberToObject(sums, "restarts", (double)s.restarts);
	cJSON_AddNumberToObject(sums, "ran_seconds", (double)s.ran_s);
	cJSON_AddNumberToObject(sums, "waited_seconds", (double)s.waited_s);
	cJSON_AddNumberToObject(sums, "lost_seconds", (double)s.lost_s);
	cJSON_AddNumberToObject(sums, "lost_steps", (double)s.lost_steps);
	cJSON_AddNumberToObject(sums, "valid", (double)s.valid);
	cJSON_AddNumberToObject(sums, "rejected", (double)s.rejected);
	ckpt_json_add_number(sums, "goodput", s.has_goodput, s.goodput);
}

cJSON *ckpt_history_json(const struct ckpt_history *h)
{
	cJSON *o = cJSON_CreateObject(), *list;

	if (!o)
		return NULL;
	list = cJSON_AddArrayToObject(o, "attempts");
	for (size_t i = 0; i < h->n; i++)
		cJSON_AddItemToArray(list, attempt_json(&h->attempts[i]));
	add_sums(o, h);
	cJSON_AddNumberToObject(o, "torn", (double)h->torn);
	cJSON_AddNumberToObject(o, "foreign", (double)h->foreign);
	cJSON_AddNumberToObject(o, "left_out", (double)h->left_out);
	return o;
}
