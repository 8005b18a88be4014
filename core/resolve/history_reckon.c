/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What attempts cost: see history.h. Everything here is "about": a checkpoint's time is that of the
 * look that found it whole.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/resolve/history.h"
#include "wire/requeue.h"

/* From @from to @to; not known where that is negative. */
static int64_t span(int64_t from, int64_t to)
{
	if (from == CKPT_HISTORY_UNKNOWN || to == CKPT_HISTORY_UNKNOWN || to < from)
		return CKPT_HISTORY_UNKNOWN;
	return to - from;
}

static bool same_clock(const char *a, const char *b)
{
	return !*a || !*b || strcmp(a, b) == 0;
}

const struct ckpt_history_attempt *ckpt_history_before(const struct ckpt_history *h,
						       const struct ckpt_history_attempt *a)
{
	return a > h->attempts && a[-1].group == a->group ? a - 1 : NULL;
}

static bool names(const char *path, const struct ckpt_history_saved *s)
{
	size_t len = strlen(path), name = strlen(s->name);

	return name > 0 && len > name && path[len - name - 1] == '/' &&
	       strcmp(path + len - name, s->name) == 0;
}

/* Where a path was saved, by the last attempt up to @last that saved it; NULL: not known. */
static const struct ckpt_history_saved *
origin(const struct ckpt_history *h, const struct ckpt_history_attempt **last, const char *path)
{
	const struct ckpt_history_attempt *a = *last;

	for (; a; a = ckpt_history_before(h, a))
		for (size_t i = a->n_saved; i-- > 0;)
			if (names(path, &a->saved[i])) {
				*last = a;
				return &a->saved[i];
			}
	return NULL;
}

/* One way back along the run's work: from a moment of an attempt on. */
struct way {
	const struct ckpt_history_attempt *a;
	int64_t until;
	const char *node; /* whose clock `until` is of */
	int64_t sum;
};

/* Adds the work of the attempt under @w since @from by @node's clock. False: not known. */
static bool add_work(struct way *w, int64_t from, const char *node)
{
	int64_t s = same_clock(node, w->node) ? span(from, w->until) : CKPT_HISTORY_UNKNOWN;

	if (s == CKPT_HISTORY_UNKNOWN)
		return false;
	w->sum += s;
	return true;
}

/*
 * The work that an attempt that starts from @path (empty: from nothing) does again: back through
 * the attempts that its own past was built on, until @path was saved.
 */
static int64_t lost_time(const struct ckpt_history *h, const struct ckpt_history_attempt *before,
			 const char *path)
{
	struct way w = { .a = before, .until = before->over, .node = before->over_node };

	while (w.a) {
		const struct ckpt_history_attempt *at = w.a;
		const struct ckpt_history_saved *s = *path ? origin(h, &at, path) : NULL;

		if (s && at == w.a)
			return add_work(&w, s->at, s->node) ? w.sum : CKPT_HISTORY_UNKNOWN;
		if (!w.a->decided || !add_work(&w, w.a->began, w.a->began_node))
			return CKPT_HISTORY_UNKNOWN;
		if (strcmp(w.a->from, path) == 0)
			return w.sum;
		at = ckpt_history_before(h, w.a);
		s = origin(h, &at, w.a->from);
		if (!s)
			return CKPT_HISTORY_UNKNOWN;
		w.a = at;
		w.until = s->at;
		w.node = s->node;
	}
	return CKPT_HISTORY_UNKNOWN;
}

/* The position that @a starts at; false where it cannot be compared with the attempt before. */
static bool starts_at(const struct ckpt_history_attempt *a, struct ckpt_position *ret)
{
	*ret = a->from_position;
	if (strcmp(a->mode, "resume") == 0)
		return true;
	*ret = (struct ckpt_position) { .has_step = true, .has_epoch = true };
	return strcmp(a->mode, "fresh") == 0;
}

static void lose(const struct ckpt_history *h, struct ckpt_history_attempt *a,
		 const struct ckpt_history_attempt *before)
{
	const struct ckpt_position *reached = &before->reached;
	struct ckpt_position at;

	if (!a->decided || !starts_at(a, &at))
		return;
	a->has_lost_steps = at.has_step && reached->has_step;
	if (a->has_lost_steps && reached->step > at.step)
		a->lost_steps = reached->step - at.step;
	a->has_lost_epochs = at.has_epoch && reached->has_epoch;
	if (a->has_lost_epochs && reached->epoch > at.epoch)
		a->lost_epochs = reached->epoch - at.epoch;
	if (before->ended)
		a->lost_s = lost_time(h, before, a->from);
}

static void name_last(struct ckpt_history_attempt *a)
{
	for (size_t i = a->n_saved; i-- > 0 && !a->to[0];)
		if (strcmp(a->saved[i].verdict, "valid") == 0)
			ckpt_text_copy(a->to, sizeof(a->to), a->saved[i].name);
}

/* Why we requeued the job after @a, by the last word of it; "": we did not, or slurmctld refused.
 */
static const char *requeued_for(const struct ckpt_history_attempt *a)
{
	for (size_t i = a->n_notes; i-- > 0;)
		if (strcmp(a->notes[i].event, "requeue") == 0)
			return a->notes[i].why;
	return "";
}

/* To Slurm it was but requeued, or had completed. */
static void name_cause(struct ckpt_history_attempt *a)
{
	const char *cause = ckpt_requeue_cause(requeued_for(a), a->cause);

	if (a->ended && cause != a->cause)
		ckpt_text_copy(a->cause, sizeof(a->cause), cause);
}

static void reckon(struct ckpt_history *h, struct ckpt_history_attempt *a,
		   struct ckpt_history_attempt *before)
{
	a->waited_s = a->lost_s = CKPT_HISTORY_UNKNOWN;
	a->ran_s = same_clock(a->began_node, a->over_node) ? span(a->began, a->over)
							   : CKPT_HISTORY_UNKNOWN;
	name_last(a);
	name_cause(a);
	if (!before || a->attempt - before->attempt != 1)
		return;
	a->waited_s = span(before->over, a->began);
	if (!before->ended && a->decided && strcmp(a->reason, "unknown") != 0) {
		ckpt_text_copy(before->cause, sizeof(before->cause), a->reason);
		before->cause_told = true;
	}
	lose(h, a, before);
}

void ckpt_history_reckon(struct ckpt_history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct ckpt_history_attempt *a = &h->attempts[i];

		reckon(h, a, i > 0 && a[-1].group == a->group ? a - 1 : NULL);
	}
}

static int64_t known(int64_t s)
{
	return s == CKPT_HISTORY_UNKNOWN ? 0 : s;
}

struct ckpt_history_sums ckpt_history_sum(const struct ckpt_history *h)
{
	struct ckpt_history_sums sums = { 0 };
	int64_t all, work;

	for (size_t i = 0; i < h->n; i++) {
		const struct ckpt_history_attempt *a = &h->attempts[i];

		sums.ran_s += known(a->ran_s);
		sums.waited_s += known(a->waited_s);
		sums.lost_s += known(a->lost_s);
		if (__builtin_add_overflow(sums.lost_steps, a->lost_steps, &sums.lost_steps))
			sums.lost_steps = INT64_MAX;
		sums.valid += a->valid;
		sums.rejected += a->rejected;
		sums.restarts += ckpt_history_before(h, a) != NULL;
	}
	all = sums.ran_s + sums.waited_s;
	work = sums.ran_s > sums.lost_s ? sums.ran_s - sums.lost_s : 0;
	sums.has_goodput = all > 0;
	sums.goodput = all > 0 ? (double)work / (double)all : 0;
	return sums;
}

static void free_attempt(struct ckpt_history_attempt *a)
{
	free(a->saved);
	free(a->notes);
	free(a->passed);
}

void ckpt_history_keep_job(struct ckpt_history *h, int64_t job_id)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->n; i++)
		if (h->attempts[i].job_id == job_id)
			h->attempts[kept++] = h->attempts[i];
		else
			free_attempt(&h->attempts[i]);
	h->n = kept;
}

void ckpt_history_done(struct ckpt_history *h)
{
	for (size_t i = 0; i < h->n; i++)
		free_attempt(&h->attempts[i]);
	free(h->attempts);
	*h = (struct ckpt_history) { 0 };
}
