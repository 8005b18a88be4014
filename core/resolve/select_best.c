/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode `best`: the levels named, best, last and numbered, one row each. Scores are compared only by
 * one key whose direction is known.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "core/record/epoch_info.h"
#include "core/resolve/select.h"
#include "core/resolve/trail.h"

/* A score and which way is better. */
struct metric {
	char key[64];
	bool max;
};

static void metric_parse(const char *text, struct metric *ret)
{
	const char *colon = strrchr(text, ':');

	snprintf(ret->key, sizeof(ret->key), "loss");
	ret->max = false;
	if (!colon)
		return;
	snprintf(ret->key, sizeof(ret->key), "%.*s", (int)(colon - text), text);
	ret->max = strcmp(colon, ":max") == 0;
}

static bool score_of(const struct ckpt_set *set, const struct metric *metric, double *ret)
{
	struct ckpt_position p = ckpt_order_position(set);

	if (!p.has_loss || strcmp(p.loss_key, metric->key) != 0 || !isfinite(p.loss))
		return false;
	*ret = metric->max ? -p.loss : p.loss;
	return true;
}

/* Sets of @role, structure verified, ordered by progress. */
static int gather_role(struct ckpt_selection *s, int role, struct ckpt_set **list, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < s->res->catalog.n_sets; i++) {
		struct ckpt_set *set = &s->res->catalog.sets[i];

		if (role >= 0 && set->role != (enum ckpt_role)role)
			continue;
		ckpt_set_verify(s->ctx, set, CKPT_LEVEL_STRUCTURE);
		if (!set->report)
			return -ENOMEM;
		list[n++] = set;
	}
	*ret_n = n;
	return ckpt_order_sort(list, n);
}

static int prove_first(struct ckpt_selection *s, struct ckpt_set **list, size_t n,
		       struct ckpt_set **ret)
{
	for (size_t i = 0; i < n; i++) {
		int r = ckpt_select_prove(s, list[i]);

		if (r == 0)
			*ret = list[i];
		if (r <= 0)
			return r;
	}
	return CKPT_SELECT_NONE;
}

static int level_role(struct ckpt_selection *s, int role, struct ckpt_set **list,
		      struct ckpt_set **ret)
{
	size_t n;
	int r = gather_role(s, role, list, &n);

	return r < 0 ? r : prove_first(s, list, n, ret);
}

static size_t order_by_score(struct ckpt_set **list, size_t n, const struct metric *metric)
{
	size_t scored = 0;
	double mine, other;

	for (size_t i = 0; i < n; i++) {
		struct ckpt_set *set = list[i];
		size_t at = scored;

		if (!score_of(set, metric, &mine))
			continue;
		while (at > 0 && score_of(list[at - 1], metric, &other) && other > mine)
			at--;
		memmove(&list[at + 1], &list[at], (i - at) * sizeof(*list));
		list[at] = set;
		scored++;
	}
	return scored;
}

size_t ckpt_select_order_by_score(struct ckpt_set **list, size_t n, const char *text)
{
	struct metric metric;

	metric_parse(text, &metric);
	return order_by_score(list, n, &metric);
}

/* epoch_info.json's best_epoch among the checkpoints of the first run directory. */
static int level_best_epoch(struct ckpt_selection *s, struct ckpt_set **list, size_t n,
			    struct ckpt_set **ret)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, s->res->run_dirs[0], NULL);
	struct ckpt_epoch_info info;

	if (dirfd < 0 || ckpt_epoch_info_load(s->ctx, dirfd, &info, NULL) != 0 ||
	    !info.has_best_epoch)
		return CKPT_SELECT_NONE;
	for (size_t i = 0; i < n; i++) {
		struct ckpt_position p = ckpt_order_position(list[i]);

		if (p.has_epoch && p.epoch == (double)info.best_epoch &&
		    ckpt_select_prove(s, list[i]) == 0) {
			*ret = list[i];
			return 0;
		}
	}
	return CKPT_SELECT_NONE;
}

/* The user's metric first; then what is called best; then best_epoch; then the lowest loss. */
static int level_best(struct ckpt_selection *s, int role, struct ckpt_set **list,
		      struct ckpt_set **ret)
{
	struct metric metric;
	size_t n, scored;
	int r;

	metric_parse(s->req->metric, &metric);
	if (!s->req->metric[0]) {
		r = level_role(s, role, list, ret);
		if (r <= 0)
			return r;
	}
	r = gather_role(s, -1, list, &n);
	if (r < 0)
		return r;
	if (!s->req->metric[0] && level_best_epoch(s, list, n, ret) == 0)
		return 0;
	scored = order_by_score(list, n, &metric);
	return prove_first(s, list, scored, ret);
}

static const struct level {
	enum ckpt_role role;
	int (*pick)(struct ckpt_selection *s, int role, struct ckpt_set **list,
		    struct ckpt_set **ret);
} levels[] = {
	{ CKPT_ROLE_NAMED, level_role },
	{ CKPT_ROLE_BEST, level_best },
	{ CKPT_ROLE_LAST, level_role },
	{ CKPT_ROLE_NUMBERED, level_role },
};

int ckpt_select_best(struct ckpt_selection *s, struct ckpt_set **ret)
{
	_cleanup_free_ struct ckpt_set **list =
		calloc(s->res->catalog.n_sets + 1, sizeof(struct ckpt_set *));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		int r = levels[i].pick(s, (int)levels[i].role, list, ret);

		if (r <= 0)
			return r;
	}
	return s->unreadable ? CKPT_SELECT_UNKNOWN : CKPT_SELECT_NONE;
}
