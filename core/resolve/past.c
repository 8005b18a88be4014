/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See past.h. Several run directories keep the same ledger, so every entry may come more than once:
 * an attempt's row is set, never counted up.
 */
#include "core/resolve/past.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "wire/decision.h"
#include "wire/text.h"

const char *ckpt_past_id(char *buf, size_t size, const struct ckpt_identity *id)
{
	snprintf(buf, size, "%" PRIu64 "-%" PRIu64 "-%" PRId64, (uint64_t)id->ino,
		 (uint64_t)id->size, (int64_t)id->mtime_ns);
	return buf;
}

bool ckpt_past_id_time(const char *id, int64_t *ret_ns)
{
	const char *mtime = strrchr(id, '-');

	return mtime && ckpt_text_int(mtime + 1, 0, INT64_MAX, ret_ns);
}

/* The row of @attempt, begun anew where another's was; NULL = no memory. */
static struct ckpt_past_attempt *row_of(struct ckpt_past *past, int64_t attempt)
{
	struct ckpt_past_attempt *row;

	if (!past->rows)
		past->rows = calloc(CKPT_PAST_ATTEMPTS, sizeof(*past->rows));
	if (!past->rows)
		return NULL;
	row = &past->rows[attempt % CKPT_PAST_ATTEMPTS];
	if (row->attempt != attempt || attempt >= past->last) {
		memset(row, 0, sizeof(*row));
		row->attempt = attempt;
		row->status = -1;
	}
	if (attempt >= past->last)
		past->last = attempt + 1;
	return row;
}

static void take_text(char *dst, size_t size, const cJSON *entry, const char *key)
{
	const char *text = ckpt_json_text(entry, key);

	if (!text || !ckpt_text_copy(dst, size, text))
		dst[0] = '\0';
}

static void take_place(struct ckpt_past_place *place, const cJSON *entry)
{
	const cJSON *epoch = cJSON_GetObjectItemCaseSensitive(entry, "epoch");

	take_text(place->id, sizeof(place->id), entry, "id");
	place->has_step = ckpt_json_int(entry, "step", &place->step);
	place->has_epoch = cJSON_IsNumber(epoch);
	place->epoch = place->has_epoch ? epoch->valuedouble : 0;
}

static bool same_place(const struct ckpt_past_place *a, const struct ckpt_past_place *b)
{
	if (strcmp(a->path, b->path) != 0)
		return false;
	return !a->id[0] || !b->id[0] || strcmp(a->id, b->id) == 0;
}

static void take_decision(struct ckpt_past_attempt *row, const cJSON *entry)
{
	int64_t refusal = 0, hooks = 0;
	bool first = !row->begun;

	row->begun = true;
	row->over = ckpt_json_is(entry, "mode", "refused") || ckpt_json_is(entry, "mode", "done");
	row->hooked |= ckpt_json_int(entry, "hooks", &hooks) && hooks == 1;
	ckpt_json_int(entry, "refusal", &refusal);
	row->held |= refusal == CKPT_REFUSE_BUDGET;
	row->stood_back = refusal == CKPT_REFUSE_BUSY;
	take_text(row->from.path, sizeof(row->from.path), entry, "path");
	take_place(&row->from, entry);
	if (first)
		row->first = row->from;
}

/* Where in the run the entry's checkpoint lies, by the names of its directory and of itself. */
static void take_path(struct ckpt_past_place *place, const cJSON *entry, const char *const keys[2])
{
	const char *dir = ckpt_json_text(entry, keys[0]), *name = ckpt_json_text(entry, keys[1]);

	place->path[0] = '\0';
	if (dir && name)
		snprintf(place->path, sizeof(place->path), "%s/%s", dir, name);
	take_place(place, entry);
}

/* What its companion saw: all that is known where no hook records the end. */
static void take_checkpoint(struct ckpt_past_attempt *row, const cJSON *entry)
{
	static const char *const keys[] = { "dir", "name" };
	struct ckpt_past_place place;

	if (!ckpt_json_is(entry, "verdict", "valid"))
		return;
	take_path(&place, entry, keys);
	row->saved |= place.path[0] && !same_place(&row->from, &place);
}

static void take_end(struct ckpt_past_attempt *row, const cJSON *entry)
{
	static const char *const keys[] = { "newest_dir", "newest_valid" };
	int64_t n;

	row->ended = true;
	take_text(row->cause, sizeof(row->cause), entry, "cause");
	row->status = ckpt_json_int(entry, "batch_status", &n) ? n : -1;
	row->finished |= !row->why[0] && ckpt_json_int(entry, "finished", &n) && n == 1;
	take_path(&row->left, entry, keys);
}

static void take_requeue(struct ckpt_past_attempt *row, const cJSON *entry)
{
	take_text(row->why, sizeof(row->why), entry, "why");
	if (strcmp(row->why, "refused") == 0) /* slurmctld did not do it */
		row->why[0] = '\0';
	if (row->why[0]) /* to go on, whatever the exit code */
		row->finished = false;
}

static void take_hold(struct ckpt_past_attempt *row, const cJSON *entry)
{
	(void)entry;
	row->held = true;
}

static const struct {
	const char *event;
	void (*take)(struct ckpt_past_attempt *row, const cJSON *entry);
} takers[] = {
	{ "decision", take_decision }, { "checkpoint", take_checkpoint },
	{ "end", take_end },	       { "requeue", take_requeue },
	{ "hold", take_hold },
};

int ckpt_past_take(struct ckpt_past *past, const cJSON *entry)
{
	const char *event = ckpt_json_text(entry, "event"), *run = ckpt_json_text(entry, "run");
	struct ckpt_past_attempt *row;
	int64_t attempt;

	if (!event || !ckpt_json_int(entry, "attempt", &attempt) || attempt < 0)
		return 0;
	if (run && *run && past->run[0] && strcmp(run, past->run) != 0)
		return 0;
	if (attempt + CKPT_PAST_ATTEMPTS < past->last)
		return 0; /* its row is a later one's */
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
		if (strcmp(event, takers[i].event) != 0)
			continue;
		row = row_of(past, attempt);
		if (!row)
			return -ENOMEM;
		takers[i].take(row, entry);
	}
	return 0;
}

/* True if @id is among those that are remembered. */
static bool is_rejected(const struct ckpt_past *past, const char *id)
{
	size_t n = past->n_rejected < CKPT_PAST_REJECTED ? past->n_rejected : CKPT_PAST_REJECTED;

	for (size_t i = 0; i < n; i++)
		if (strcmp(past->rejected[i], id) == 0)
			return true;
	return false;
}

int ckpt_past_take_rejected(struct ckpt_past *past, const cJSON *entry)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(entry, "rejected"), *one;

	if (ckpt_json_is(entry, "mode", "refused"))
		return 0; /* its script never ran, and nobody counts it */
	cJSON_ArrayForEach (one, list) {
		const char *id = ckpt_json_text(one, "id");

		if (!id || is_rejected(past, id))
			continue;
		if (!past->rejected)
			past->rejected = calloc(CKPT_PAST_REJECTED, sizeof(*past->rejected));
		if (!past->rejected)
			return -ENOMEM;
		ckpt_text_copy(past->rejected[past->n_rejected++ % CKPT_PAST_REJECTED],
			       sizeof(*past->rejected), id);
	}
	return 0;
}

bool ckpt_past_has_rejected(const struct ckpt_past *past, const struct ckpt_identity *id)
{
	char text[80];

	return is_rejected(past, ckpt_past_id(text, sizeof(text), id));
}

const struct ckpt_past_attempt *ckpt_past_find(const struct ckpt_past *past, int64_t attempt)
{
	const struct ckpt_past_attempt *row;

	if (!past->rows || attempt < 0 || attempt >= past->last)
		return NULL;
	row = &past->rows[attempt % CKPT_PAST_ATTEMPTS];
	return row->attempt == attempt && (row->begun || row->ended || row->held || row->why[0])
		       ? row
		       : NULL;
}

/* The oldest attempt that can be known. */
static int64_t oldest(const struct ckpt_past *past)
{
	return past->last > CKPT_PAST_ATTEMPTS ? past->last - CKPT_PAST_ATTEMPTS : 0;
}

const struct ckpt_past_attempt *ckpt_past_last_run(const struct ckpt_past *past, int64_t before)
{
	int64_t attempt = before < past->last ? before : past->last;

	while (--attempt >= oldest(past)) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		/* one that neither began nor finished: its prolog failed */
		if (row && !row->over && (row->begun || row->finished))
			return row;
	}
	return NULL;
}

bool ckpt_past_is_fault(const struct ckpt_past_attempt *a)
{
	static const char *const faults[] = { "exit-code", "signal", "oom", "stalled" };

	if (a->over)
		return false;
	if (strcmp(a->why, "stall") == 0)
		return true;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		if (strcmp(a->cause, faults[i]) == 0)
			return true;
	return false;
}

/* A program may write the same checkpoint anew each time, or another under the same name. */
static bool same_point(const struct ckpt_past_place *a, const struct ckpt_past_place *b)
{
	bool steps = a->has_step && b->has_step, epochs = a->has_epoch && b->has_epoch;

	if (epochs && (a->epoch < b->epoch || a->epoch > b->epoch))
		return false; /* be it at the same step of them */
	if (steps)
		return a->step == b->step;
	return epochs || same_place(a, b);
}

bool ckpt_past_progressed(const struct ckpt_past_attempt *a)
{
	if (!a->ended || !a->left.path[0])
		return a->saved;
	return !same_place(&a->first, &a->left);
}

/* The first attempt that counts: the one behind the last hold at or before @last. */
static int64_t since_hold(const struct ckpt_past *past, int64_t last)
{
	int64_t attempt = last;

	for (; attempt >= oldest(past); attempt--) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		if (row && row->held)
			break;
	}
	return attempt + 1;
}

int64_t ckpt_past_faults(const struct ckpt_past *past, int64_t last)
{
	int64_t first = since_hold(past, last), n = 0;

	for (int64_t attempt = last; attempt >= first; attempt--) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		if (!row)
			continue;
		if (row->finished || ckpt_past_progressed(row))
			break;
		n += ckpt_past_is_fault(row) || strcmp(row->why, "time-limit") == 0;
	}
	return n;
}

/* True if nothing is known of where the attempt ended. */
static bool is_nowhere(const struct ckpt_past_place *left)
{
	return !left->path[0] && !left->has_step && !left->has_epoch;
}

int64_t ckpt_past_repeats(const struct ckpt_past *past, int64_t last)
{
	const struct ckpt_past_attempt *model = ckpt_past_find(past, last);
	int64_t n = 0;

	if (!model || !ckpt_past_is_fault(model))
		return 0;
	for (int64_t attempt = since_hold(past, last); attempt <= last; attempt++) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		if (!row)
			continue;
		/* its companion saw it get on: those before it stood elsewhere */
		if (row->saved && is_nowhere(&row->left) && is_nowhere(&model->left))
			n = 0;
		n += ckpt_past_is_fault(row) && row->status == model->status &&
		     strcmp(row->why, model->why) == 0 && same_point(&row->left, &model->left);
	}
	return n;
}

int64_t ckpt_past_restarts(const struct ckpt_past *past, int64_t last)
{
	int64_t first = since_hold(past, last), waits = 0;

	for (int64_t attempt = first; attempt <= last; attempt++) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		waits += row && row->stood_back;
	}
	if (first == oldest(past)) /* never held, as far as is known */
		first = 0;
	return last - first - waits < 0 ? 0 : last - first - waits;
}

int64_t ckpt_past_failed_from(const struct ckpt_past *past, const struct ckpt_past_place *place,
			      int64_t *ret_last)
{
	int64_t n = 0;

	for (int64_t attempt = since_hold(past, past->last - 1); attempt < past->last; attempt++) {
		const struct ckpt_past_attempt *row = ckpt_past_find(past, attempt);

		if (!row || !ckpt_past_is_fault(row) || ckpt_past_progressed(row) ||
		    !same_place(&row->from, place))
			continue;
		n++;
		if (ret_last)
			*ret_last = attempt;
	}
	return n;
}

void ckpt_past_done(struct ckpt_past *past)
{
	free(past->rows);
	free(past->rejected);
	past->rows = NULL;
	past->rejected = NULL;
	past->n_rejected = 0;
	past->last = 0;
}
