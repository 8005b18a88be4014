/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See select.h. A series is looked at from its newest name downwards, a window at a time: names are
 * trusted to order what lies below the window only while the contents inside it agree with them.
 */
#include "core/resolve/select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "core/resolve/below.h"
#include "core/resolve/own.h"
#include "core/resolve/rules.h"
#include "core/resolve/trail.h"

/* Beyond ckpt_select_result: as good as can be known without recalling it from tape. */
enum { ON_TAPE = CKPT_SELECT_UNKNOWN + 1 };

#define WINDOW 16 /* sets of a series looked at first: about 1 ms each when warm */

/* One series of one run while it is looked at. */
struct series {
	struct ckpt_set *first;
	size_t n, looked;
	size_t compared; /* sets whose content was held against their names */
	const struct ckpt_report *highest, *lowest; /* of the first and the last valid of those */
	bool end_compared;
};

/* The work on one run: its series, and the usable sets found so far. */
struct pass {
	struct series *series;
	size_t n_series;
	struct ckpt_set **usable;
	size_t n_usable;
	bool last_resort, weights; /* what may be taken for want of better */
};

static void pass_done(struct pass *pass)
{
	free(pass->series);
	free(pass->usable);
}
#define _cleanup_pass_ _cleanup_(pass_done)

static int judge_invalid(struct ckpt_selection *s, struct ckpt_set *set)
{
	bool unknown = set->report->verdict.status == CKPT_UNREADABLE;
	enum ckpt_fate fate = CKPT_FATE_REJECTED;
	char words[512];

	if (unknown) {
		s->unreadable++;
		if (ckpt_ctx_expired(s->ctx) != 0)
			fate = CKPT_FATE_BUDGET;
	}
	ckpt_report_words(words, sizeof(words), set->report, set->name);
	if (ckpt_trail_add(s->res, set, fate, "%s", words) < 0)
		return -ENOMEM;
	return unknown ? CKPT_SELECT_UNKNOWN : CKPT_SELECT_NONE;
}

/* Whether @set was not read because that would recall it, which is to be done if it is chosen. */
static bool is_on_tape(const struct ckpt_selection *s, const struct ckpt_set *set)
{
	return s->ctx->no_recall && s->ctx->recall_chosen &&
	       set->report->verdict.status == CKPT_UNREADABLE && set->report->released;
}

/* Verifies @set's structure and asks the rules. 0 usable, ON_TAPE, NONE, UNKNOWN, or -ENOMEM. */
static int look(struct ckpt_selection *s, struct ckpt_set *set, bool last_resort)
{
	char why[512];
	bool on_tape;
	int r;

	ckpt_set_verify(s->ctx, set, CKPT_LEVEL_STRUCTURE);
	if (!set->report)
		return -ENOMEM;
	on_tape = is_on_tape(s, set);
	if (set->report->verdict.status != CKPT_VALID && !on_tape)
		return ckpt_trail_of(s->res, set) ? CKPT_SELECT_NONE : judge_invalid(s, set);
	r = ckpt_rules_ask(s, set, why, sizeof(why));
	if (r == 0 || (r == CKPT_RULE_LAST_RESORT && last_resort))
		return on_tape ? ON_TAPE : 0;
	if (ckpt_trail_of(s->res, set))
		return CKPT_SELECT_NONE;
	s->turned_away += r == CKPT_RULE_TURNED_AWAY;
	return ckpt_trail_add(s->res, set, CKPT_FATE_PASSED_OVER, "%s", why) < 0 ? -ENOMEM
										 : CKPT_SELECT_NONE;
}

/* Numbers that are none are no damage: what the site does not take is passed over, and told; it is
 * never quarantined. */
static int judge_poison(struct ckpt_selection *s, struct ckpt_set *set)
{
	const struct ckpt_finiteness *f = &set->report->finite;
	bool any = strcmp(s->req->reject_non_finite, "any") == 0;
	char words[512];

	if (s->level < CKPT_LEVEL_FINITE || f->nan + (any ? f->inf : 0) == 0)
		return 0;
	if (ckpt_trail_of(s->res, set))
		return CKPT_SELECT_NONE;
	s->poisoned++;
	ckpt_report_words(words, sizeof(words), set->report, set->name);
	return ckpt_trail_add(s->res, set, CKPT_FATE_REJECTED, "%.400s (RejectNonFinite=%s)", words,
			      any ? "any" : "yes") < 0
		       ? -ENOMEM
		       : CKPT_SELECT_NONE;
}

/* Reads @set as far as @level goes. What its structure has shown stands where the budget ends
 * before more is known. */
static int read_content(struct ckpt_selection *s, struct ckpt_set *set, enum ckpt_level level)
{
	struct ckpt_report structure = *set->report;
	struct ckpt_verdict *verdict = &set->report->verdict;

	ckpt_set_verify(s->ctx, set, level);
	if (is_on_tape(s, set))
		return ON_TAPE;
	if (verdict->status == CKPT_UNREADABLE && ckpt_ctx_expired(s->ctx) != 0) {
		*set->report = structure;
		snprintf(verdict->note, sizeof(verdict->note), "content not read: budget");
	}
	if (verdict->status != CKPT_VALID)
		return judge_invalid(s, set);
	s->unproved = ckpt_ctx_expired(s->ctx) != 0 &&
		      (verdict->note[0] != '\0' || set->report->finite.unscanned);
	return judge_poison(s, set);
}

static int prove(struct ckpt_selection *s, struct ckpt_set *set)
{
	int r = look(s, set, true);

	if (r != 0 || s->level < CKPT_LEVEL_FULL)
		return r;
	if (s->level >= CKPT_LEVEL_FINITE)
		return read_content(s, set, s->level);
	if (set->report->verdict.evidence != CKPT_EVIDENCE_SEAL_UNCHANGED)
		return read_content(s, set, CKPT_LEVEL_FULL);
	return s->sample ? read_content(s, set, CKPT_LEVEL_SAMPLE) : 0;
}

/* Forgets what could not be found out about @set, which is about to be chosen: nothing of it stays
 * unread. */
static void begin_recall(struct ckpt_selection *s, struct ckpt_set *set)
{
	ckpt_resolution_warn(s->res, "%s was released to tape: recalled, to be started from",
			     set->name);
	set->stale = true; /* not freed: it may be what newer ones are measured by */
	s->ctx->no_recall = false;
}

void ckpt_select_recall(struct ckpt_selection *s, struct ckpt_set *set)
{
	if (!set->report || !is_on_tape(s, set))
		return;
	begin_recall(s, set);
	ckpt_set_verify(s->ctx, set, CKPT_LEVEL_STRUCTURE);
	s->ctx->no_recall = true;
}

int ckpt_select_prove(struct ckpt_selection *s, struct ckpt_set *set)
{
	int r = prove(s, set);

	if (r != ON_TAPE)
		return r;
	begin_recall(s, set);
	r = prove(s, set);
	s->ctx->no_recall = true;
	return r;
}

/* Whether @run is a requested directory itself and no folder below one. */
static bool is_requested(const struct ckpt_resolution *res, int run)
{
	for (int i = 0; run >= 0 && i < res->n_run_dirs; i++)
		if (strcmp(res->catalog.runs[run].dir, res->run_dirs[i]) == 0)
			return true;
	return false;
}

/* Requested directories are searched as one: the newest of them stands for all. */
static bool in_auto(const struct ckpt_resolution *res, const struct ckpt_set *set, int run)
{
	if (set->role == CKPT_ROLE_PRETRAINED)
		return false;
	return set->run == run || (is_requested(res, run) && is_requested(res, set->run));
}

static bool same_series(const struct ckpt_set *a, const struct ckpt_set *b)
{
	return a->run == b->run && strcmp(a->series, b->series) == 0;
}

/* The catalog keeps the sets of a series together, newest name first. */
static int split_series(struct ckpt_selection *s, int run, struct pass *pass)
{
	struct ckpt_catalog *cat = &s->res->catalog;

	pass->series = calloc(cat->n_sets + 1, sizeof(*pass->series));
	pass->usable = calloc(cat->n_sets + 1, sizeof(struct ckpt_set *));
	if (!pass->series || !pass->usable)
		return -ENOMEM;
	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_set *set = &cat->sets[i];

		if (!in_auto(s->res, set, run))
			continue;
		if (pass->n_series == 0 ||
		    !same_series(pass->series[pass->n_series - 1].first, set))
			pass->series[pass->n_series++].first = set;
		pass->series[pass->n_series - 1].n++;
	}
	return 0;
}

static int look_down(struct ckpt_selection *s, struct pass *pass, struct series *series,
		     size_t upto)
{
	for (; series->looked < upto && series->looked < series->n; series->looked++) {
		struct ckpt_set *set = &series->first[series->looked];
		int r = look(s, set, pass->last_resort);

		if (r < 0)
			return r;
		if (r == 0 || r == ON_TAPE)
			pass->usable[pass->n_usable++] = set;
	}
	return 0;
}

/* True if a later name holds less progress than an earlier one: then the names order nothing. */
static bool names_lie(struct series *series)
{
	int order;

	if (!series->first->has_number && !series->first->named.has_step &&
	    !series->first->named.has_epoch)
		return true;
	for (; series->compared < series->looked; series->compared++) {
		const struct ckpt_report *report = series->first[series->compared].report;
		const struct ckpt_report *newer = series->lowest;

		if (!report || report->verdict.status != CKPT_VALID)
			continue;
		if (newer &&
		    ckpt_order_progress(&newer->position, &report->position, &order) == 0 &&
		    order < 0)
			return true;
		if (!newer)
			series->highest = report;
		series->lowest = report;
	}
	return false;
}

/* Asked once a series: whether what lies below may be ahead of the highest names. */
static bool hides_more(struct ckpt_selection *s, struct series *series)
{
	const struct ckpt_below below = { .first = series->first,
					  .n = series->n,
					  .looked = series->looked,
					  .highest = series->highest };

	if (!series->highest || series->end_compared)
		return false;
	series->end_compared = true;
	return ckpt_below_is_ahead(s->ctx, &below);
}

/* One window more of @series; all of it where its names order nothing. */
static int look_window(struct ckpt_selection *s, struct pass *pass, struct series *series)
{
	int r = look_down(s, pass, series, series->looked + WINDOW);

	if (r == 0 && series->looked < series->n && (names_lie(series) || hides_more(s, series)))
		r = look_down(s, pass, series, series->n);
	return r;
}

/* True if nothing usable is known of @series, and more of it is left. */
static bool is_wanting(const struct pass *pass, const struct series *series)
{
	for (size_t i = 0; i < pass->n_usable; i++)
		if (pass->usable[i] >= series->first && pass->usable[i] < series->first + series->n)
			return false;
	return series->looked < series->n;
}

/*
 * Looks down every series until it has something usable or is at its end: damaged newest ones must
 * not hide the rest of their series behind an old one of another.
 */
static int look_until_usable(struct ckpt_selection *s, struct pass *pass)
{
	bool more = true;

	while (more) {
		more = false;
		for (size_t i = 0; i < pass->n_series; i++) {
			struct series *series = &pass->series[i];
			int r = is_wanting(pass, series) ? look_window(s, pass, series) : 0;

			if (r < 0)
				return r;
			more |= is_wanting(pass, series);
		}
	}
	return 0;
}

static bool is_weights(const struct ckpt_set *set)
{
	return set->report->contents == CKPT_CONTENTS_WEIGHTS;
}

static void drop(struct pass *pass, size_t i)
{
	pass->n_usable--; /* another of its series may take its place */
	memmove(pass->usable + i, pass->usable + i + 1,
		(pass->n_usable - i) * sizeof(*pass->usable));
}

/*
 * The one to recall before the first one is chosen: itself, or one on tape that has a newer name in
 * the same series. n_usable if there is none.
 */
static size_t next_on_tape(const struct ckpt_selection *s, const struct pass *pass)
{
	struct ckpt_set **usable = pass->usable;
	size_t found = pass->n_usable;

	if (is_on_tape(s, usable[0]))
		return 0;
	for (size_t i = 1; i < pass->n_usable; i++)
		if (is_on_tape(s, usable[i]) && usable[i] < usable[0] &&
		    same_series(usable[i], usable[0]) &&
		    (found == pass->n_usable || usable[i] < usable[found]))
			found = i;
	return found;
}

/* Recalls what is next on tape: what is in it may put another first. 1 if there was one, 0, or
 * -ENOMEM. */
static int recall_one(struct ckpt_selection *s, struct pass *pass)
{
	size_t i = next_on_tape(s, pass);
	int r;

	if (i == pass->n_usable)
		return 0;
	ckpt_select_recall(s, pass->usable[i]);
	r = look(s, pass->usable[i], pass->last_resort);
	if (r > 0)
		drop(pass, i);
	return r < 0 ? r : 1;
}

/* The best provable one of @run. 0 with *@ret, NONE, or an errno. */
static int select_in_run(struct ckpt_selection *s, int run, struct pass *pass,
			 struct ckpt_set **ret)
{
	int r = split_series(s, run, pass);

	while (r >= 0) {
		r = look_until_usable(s, pass);
		if (r < 0 || pass->n_usable == 0)
			break;
		if (ckpt_order_sort(pass->usable, pass->n_usable) < 0)
			return -ENOMEM;
		r = recall_one(s, pass);
		if (r != 0)
			continue;
		if (!pass->weights && is_weights(pass->usable[0]))
			break; /* weights come last: there is nothing else here */
		r = ckpt_select_prove(s, pass->usable[0]);
		if (r == 0)
			*ret = pass->usable[0];
		if (r <= 0)
			return r;
		drop(pass, 0);
	}
	return r < 0 ? r : CKPT_SELECT_NONE;
}

/* Newest run first. @like: what may be taken. @own: only runs that hold work of this job. */
static int select_in_each(struct ckpt_selection *s, const struct pass *like, bool own,
			  struct ckpt_set **ret)
{
	bool requested_done = false;

	for (size_t run = 0; run < s->res->catalog.n_runs; run++) {
		_cleanup_pass_ struct pass pass = *like;
		bool requested = is_requested(s->res, (int)run);
		int r;

		if ((requested && requested_done) || (own && !ckpt_own_in_run(s, (int)run)))
			continue;
		requested_done |= requested;
		r = select_in_run(s, (int)run, &pass, ret);
		if (r <= 0)
			return r;
	}
	return CKPT_SELECT_NONE;
}

/* What this job has written comes before what was there, whatever the clocks of their nodes. */
static int select_in_runs(struct ckpt_selection *s, const struct pass *like, struct ckpt_set **ret)
{
	int r = ckpt_own_is_known(s) ? select_in_each(s, like, true, ret) : CKPT_SELECT_NONE;

	return r == CKPT_SELECT_NONE ? select_in_each(s, like, false, ret) : r;
}

int ckpt_select_auto(struct ckpt_selection *s, struct ckpt_set **ret)
{
	/* weights alone never come before a full one, of whatever run folder */
	static const struct pass passes[] = {
		{ .last_resort = false, .weights = false },
		{ .last_resort = false, .weights = true },
		{ .last_resort = true, .weights = false },
		{ .last_resort = true, .weights = true },
	};

	for (size_t i = 0; i < sizeof(passes) / sizeof(*passes); i++) {
		int r = select_in_runs(s, &passes[i], ret);

		if (r <= 0)
			return r;
	}
	return s->unreadable ? CKPT_SELECT_UNKNOWN : CKPT_SELECT_NONE;
}
