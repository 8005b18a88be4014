/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See retain.h. Series are counted apart: of a generator's and a discriminator's files N each are
 * kept.
 */
#include "core/resolve/retain.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/discard.h"
#include "core/integrity/verify.h"
#include "core/record/ledger.h"
#include "core/record/state.h"
#include "core/resolve/choose.h"
#include "core/resolve/events.h"
#include "core/resolve/rules.h"
#include "core/resolve/settle.h"
#include "core/resolve/sharing.h"
#include "core/resolve/spare.h"
#include "wire/text.h"

#define NAMED_MAX 32 /* checkpoints named in one ledger line */

/* One planning. */
struct planning {
	struct ckpt_selection *s;
	const struct ckpt_keep *keep;
	struct ckpt_retain *plan;
	struct ckpt_set **list; /* room for all of the catalog */
};

void ckpt_retain_done(struct ckpt_retain *plan)
{
	free(plan->doomed);
	*plan = (struct ckpt_retain) { 0 };
}

/* One of a series that its program, or its user's own pattern, numbers. */
static bool is_numbered(const struct ckpt_set *set)
{
	return set->role == CKPT_ROLE_NUMBERED ||
	       (set->role == CKPT_ROLE_NAMED &&
		(set->has_number || set->named.has_step || set->named.has_epoch));
}

/* What may go, and what stands for the ones that stay: sealed, unchanged since, and fit to be
 * started from. */
static bool is_eligible(struct ckpt_selection *s, struct ckpt_set *set)
{
	const struct ckpt_report *report = ckpt_set_verify(s->ctx, set, CKPT_LEVEL_STRUCTURE);
	char why[512];

	return is_numbered(set) && set->run >= 0 && report->verdict.status == CKPT_VALID &&
	       report->verdict.evidence == CKPT_EVIDENCE_SEAL_UNCHANGED &&
	       ckpt_rules_ask(s, set, why, sizeof(why)) == 0;
}

/* Whether one of the two is no progress over the other: files of several ranks, two copies. */
static bool is_level(const struct ckpt_set *a, const struct ckpt_set *b)
{
	struct ckpt_position x = ckpt_order_position(a), y = ckpt_order_position(b);
	int order;

	if (ckpt_order_progress(&x, &y, &order) == 0)
		return order == 0;
	return a->has_number && b->has_number && a->number == b->number;
}

/* The first of @list, the most progress first, that is behind the N newest that are proved. What
 * the site does not take (NaN) stands for nothing, and those that are level count as one. */
static int find_surplus(struct planning *p, struct ckpt_set **list, size_t n, size_t *ret)
{
	const struct ckpt_set *last = NULL;
	int64_t kept = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int r;

		if (last && is_level(last, list[i]))
			continue;
		if (kept == p->keep->newest)
			break;
		r = ckpt_select_prove(p->s, list[i]);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		last = list[i];
		kept++;
	}
	*ret = i;
	return 0;
}

#define METRICS 4 /* decimal fractions of a name that are looked at */

/* The @k-th decimal fraction in @name, as "0.25" of "epoch=3-val_loss=0.25.ckpt". */
static bool fraction(const char *name, int k, double *ret)
{
	for (const char *at = name; *at;) {
		size_t whole = strspn(at, "0123456789");

		if (whole == 0) {
			at++;
			continue;
		}
		if (at[whole] == '.' && at[whole + 1] >= '0' && at[whole + 1] <= '9') {
			double value = (double)strtoull(at, NULL, 10), unit = 1;

			for (at += whole + 1; *at >= '0' && *at <= '9'; at++)
				value += (unit /= 10) * (*at - '0');
			if (k-- > 0)
				continue;
			*ret = value;
			return true;
		}
		at += whole;
	}
	return false;
}

/* The least and the greatest of each metric that the names of a series hold. */
struct extremes {
	double least[METRICS], most[METRICS];
};

static void find_extremes(struct ckpt_set **list, size_t n, struct extremes *ret)
{
	double value;

	for (int k = 0; k < METRICS; k++) {
		ret->least[k] = INFINITY;
		ret->most[k] = -INFINITY;
		for (size_t i = 0; i < n; i++) {
			if (!fraction(list[i]->name, k, &value))
				continue;
			ret->least[k] = fmin(ret->least[k], value);
			ret->most[k] = fmax(ret->most[k], value);
		}
	}
}

/* Whether a metric in its name is the series' best: which end of it is better is not said. */
static bool is_extreme(const struct extremes *of, const struct ckpt_set *set)
{
	double value;

	for (int k = 0; k < METRICS && fraction(set->name, k, &value); k++)
		if (of->least[k] < of->most[k] && (value <= of->least[k] || value >= of->most[k]))
			return true;
	return false;
}

/* What was written after one that stays is not old: then another number than the one that orders
 * the series counts its saves, or the program began again behind what it had. */
static int doom(struct planning *p, struct ckpt_set **list, size_t n)
{
	int64_t oldest_ns = INT64_MAX;
	struct extremes extremes;
	size_t surplus = n;
	int r = find_surplus(p, list, n, &surplus);

	for (size_t i = 0; i < surplus; i++)
		if (list[i]->report->identity.mtime_ns < oldest_ns)
			oldest_ns = list[i]->report->identity.mtime_ns;
	find_extremes(list, n, &extremes);
	for (size_t i = surplus; r == 0 && i < n; i++) {
		if (list[i]->report->identity.mtime_ns > oldest_ns)
			continue;
		if (is_extreme(&extremes, list[i]))
			p->plan->spared++;
		else
			p->plan->doomed[p->plan->n++] = list[i];
	}
	return r;
}

/* The series that begins at @first; *@ret_n sets. */
static int plan_series(struct planning *p, struct ckpt_set *first, size_t *ret_n)
{
	const struct ckpt_set *end = p->s->res->catalog.sets + p->s->res->catalog.n_sets;
	struct ckpt_set *set = first;
	size_t n = 0;

	for (; set < end && set->run == first->run && strcmp(set->dir, first->dir) == 0 &&
	       strcmp(set->series, first->series) == 0;
	     set++)
		if (is_eligible(p->s, set))
			p->list[n++] = set;
	*ret_n = (size_t)(set - first);
	if (n <= (size_t)p->keep->newest)
		return 0;
	return ckpt_order_sort(p->list, n) < 0 ? -ENOMEM : doom(p, p->list, n);
}

static int plan_all(struct planning *p)
{
	struct ckpt_catalog *cat = &p->s->res->catalog;
	int r = 0;

	for (size_t i = 0, n; r == 0 && i < cat->n_sets; i += n)
		r = plan_series(p, &cat->sets[i], &n);
	return r;
}

/* The K best of all that is valid, sealed or not. */
static size_t find_best(struct planning *p)
{
	struct ckpt_catalog *cat = &p->s->res->catalog;
	size_t n = 0;

	for (size_t i = 0; i < cat->n_sets; i++)
		if (cat->sets[i].report && cat->sets[i].report->verdict.status == CKPT_VALID)
			p->list[n++] = &cat->sets[i];
	n = ckpt_select_order_by_score(p->list, n, p->s->req->metric);
	return n < (size_t)p->keep->best ? n : (size_t)p->keep->best;
}

static bool is_among(const struct ckpt_set *set, struct ckpt_set **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == set)
			return true;
	return false;
}

/* Takes back what something speaks for. */
static int spare(struct planning *p, struct ckpt_error *err)
{
	_cleanup_spare_ struct ckpt_spare spare = { 0 };
	struct ckpt_retain *plan = p->plan;
	size_t best, n = 0;
	int r = ckpt_spare_collect(p->s, &spare, err);

	if (r < 0)
		return r;
	best = find_best(p);
	for (size_t i = 0; i < plan->n; i++) {
		struct ckpt_set *set = plan->doomed[i];

		if (set == p->s->res->chosen || is_among(set, p->list, best) ||
		    ckpt_spare_has(&spare, set)) {
			plan->spared++;
			continue;
		}
		plan->bytes += set->report->verdict.size_bytes;
		plan->doomed[n++] = set;
	}
	plan->n = n;
	return 0;
}

int ckpt_retain_plan(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		     const struct ckpt_keep *keep, struct ckpt_resolution *res,
		     struct ckpt_retain *ret, struct ckpt_error *err)
{
	struct ckpt_selection s = ckpt_choose_selection(ctx, req, res);
	size_t n = res->catalog.n_sets;
	_cleanup_free_ struct ckpt_set **list = calloc(n + 1, sizeof(struct ckpt_set *));
	_cleanup_retain_ struct ckpt_retain plan = { 0 };
	struct planning p = { .s = &s, .keep = keep, .plan = &plan, .list = list };
	int r;

	plan.doomed = calloc(n + 1, sizeof(struct ckpt_set *));
	if (!list || !plan.doomed)
		return ckpt_fail(err, -ENOMEM, "no memory for %zu checkpoints", n);
	r = keep->newest < CKPT_KEEP_LEAST ? 0 : plan_all(&p);
	if (r == 0 && plan.n > 0)
		r = spare(&p, err);
	if (r < 0)
		return r;
	*ret = plan;
	plan = (struct ckpt_retain) { 0 };
	return 0;
}

static int remove_one(const struct ckpt_set *set, struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, err);
	_cleanup_close_ int statefd = dirfd < 0 ? dirfd : ckpt_state_make(dirfd, err);

	return statefd < 0 ? statefd : ckpt_discard(dirfd, statefd, set, err);
}

/* In the ledgers of the run, where it has some: what is gone. */
static void note(const struct ckpt_resolution *res, const struct ckpt_request *by, cJSON *names,
		 uint64_t bytes)
{
	_cleanup_json_ cJSON *event = ckpt_event_new(by, "pruned");

	if (!cJSON_AddItemToObject(event, "names", names)) {
		cJSON_Delete(names);
		return;
	}
	cJSON_AddStringToObject(event, "run", res->state.mark.run);
	cJSON_AddNumberToObject(event, "bytes", (double)bytes);
	ckpt_event_append(&res->roots, event, NULL);
}

size_t ckpt_retain_remove(const struct ckpt_resolution *res, const struct ckpt_request *by,
			  const struct ckpt_retain *plan, struct ckpt_error *err)
{
	cJSON *names = cJSON_CreateArray();
	uint64_t bytes = 0;
	size_t gone = 0;

	for (size_t i = plan->n; i > 0; i--) {
		const struct ckpt_set *set = plan->doomed[i - 1];
		struct ckpt_error why = { 0 };

		if (remove_one(set, &why) != 0) {
			if (err)
				*err = why;
			continue;
		}
		if (gone++ < NAMED_MAX)
			cJSON_AddItemToArray(names, cJSON_CreateString(set->name));
		bytes += set->report->verdict.size_bytes;
	}
	if (gone > 0)
		note(res, by, names, bytes);
	else
		cJSON_Delete(names);
	return gone;
}

/* By its lease, which is there without hooks too; the ledger knows of ends only with them. */
static int check_lease(const struct ckpt_request *req, struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_sharing *sharing = calloc(1, sizeof(*sharing));

	if (!sharing)
		return ckpt_fail(err, -ENOMEM, "no memory");
	if (ckpt_sharing_init(sharing, req) != 0 || !ckpt_sharing_is_taken(sharing))
		return 0;
	return ckpt_fail(err, -EBUSY, "job %lld has the lease of a run directory",
			 (long long)sharing->holder.job_id);
}

int ckpt_retain(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_error *err)
{
	_cleanup_resolution_ struct ckpt_resolution res = { 0 };
	_cleanup_retain_ struct ckpt_retain plan = { 0 };
	_cleanup_free_ struct ckpt_request *next = malloc(sizeof(*next));
	struct ckpt_keep keep = { 0 };
	int r;

	if (!next)
		return -ENOMEM;
	if (ckpt_keep_parse(req->keep, &keep) || !keep.newest)
		return 0;
	r = ckpt_resolve_next(ctx, req, next, &res, err);
	if (r == 0 && res.state.live_job && res.state.live_job != req->job_id)
		r = ckpt_fail(err, -EBUSY, "job %lld is at work in %s too",
			      (long long)res.state.live_job, res.roots.dir[0]);
	if (r == 0)
		r = check_lease(req, err);
	if (r == 0 && !res.state.ours)
		r = ckpt_fail(err, -ENOENT, "no mark of this job's run in %s", res.roots.dir[0]);
	if (r < 0)
		return r;
	r = ckpt_retain_plan(ctx, next, &keep, &res, &plan, err);
	return r < 0 ? r : (int)ckpt_retain_remove(&res, req, &plan, err);
}
