/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pinned checkpoint: found by path, name, step or epoch, proved, and never replaced by another.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/integrity/verify.h"
#include "core/resolve/select.h"
#include "core/resolve/trail.h"

static int refuse(struct ckpt_selection *s, const struct ckpt_set *set, const char *what, int r,
		  struct ckpt_error *err)
{
	struct ckpt_trail_entry *entry = ckpt_trail_of(s->res, set);

	bool poisoned = set->report && set->report->verdict.status == CKPT_VALID &&
			set->report->finite.poisoned;

	ckpt_fail(err, 0,
		  "%s %s: %s. Nothing was started; the pin is never replaced by another "
		  "checkpoint. Choose another with --ckpt-resume=..., or --ckpt-resume=auto",
		  what,
		  r == CKPT_SELECT_UNKNOWN ? "could not be read"
		  : poisoned		   ? "is not taken at this site"
					   : "is not valid",
		  entry ? entry->why : "no reason recorded");
	return r;
}

static int pin_set(struct ckpt_selection *s, struct ckpt_set *set, struct ckpt_set **ret,
		   struct ckpt_error *err)
{
	char what[320];
	int r;

	set->role = CKPT_ROLE_NAMED; /* the user's own word: a content of unknown format will do */
	ckpt_set_ask(set);
	r = ckpt_select_prove(s, set);
	if (r == 0)
		*ret = set;
	if (r <= 0)
		return r;
	snprintf(what, sizeof(what), "the pinned checkpoint %s", CKPT_QUOTE(set->name));
	return refuse(s, set, what, r, err);
}

static int pin_path(struct ckpt_selection *s, const struct ckpt_mode *mode, struct ckpt_set **ret,
		    struct ckpt_error *err)
{
	struct ckpt_set *set = NULL;
	int r = ckpt_catalog_add_path(s->ctx, &s->res->catalog, mode->text, &set, err);

	if (r == 0)
		return pin_set(s, set, ret, err);
	if (r == -ENOMEM)
		return r;
	ckpt_fail(err, 0, "the pinned checkpoint %s %s (%s). Nothing was started",
		  CKPT_QUOTE(mode->text),
		  r == -ENOENT ? "does not exist" : "could not be looked up", strerror(-r));
	return r == -ENOENT || r > 0 ? CKPT_SELECT_NONE : CKPT_SELECT_UNKNOWN;
}

static int pin_name(struct ckpt_selection *s, const struct ckpt_mode *mode, struct ckpt_set **ret,
		    struct ckpt_error *err)
{
	struct ckpt_set *set = ckpt_catalog_find(&s->res->catalog, NULL, mode->text);
	char path[CKPT_PATH_MAX];

	if (set)
		return pin_set(s, set, ret, err);
	for (int i = 0; i < s->res->n_run_dirs; i++) {
		int n = snprintf(path, sizeof(path), "%s/%s", s->res->run_dirs[i], mode->text);

		if (n < (int)sizeof(path) &&
		    ckpt_catalog_add_path(s->ctx, &s->res->catalog, path, &set, NULL) == 0)
			return pin_set(s, set, ret, err);
	}
	ckpt_fail(err, 0,
		  "there is no checkpoint named %s in %s (--ckpt-resume=name:NAME). Nothing "
		  "was started; `ckptctl list %s` shows what is there",
		  CKPT_QUOTE(mode->text), s->res->run_dirs[0], s->res->run_dirs[0]);
	return CKPT_SELECT_NONE;
}

/* Whether @position is what @mode asks for. */
static bool position_is(const struct ckpt_position *position, const struct ckpt_mode *mode)
{
	if (mode->kind == CKPT_MODE_STEP)
		return position->has_step && position->step == mode->number;
	return position->has_epoch && position->epoch == (double)mode->number;
}

/* Names that say another number are not opened, unless no name says the one asked for. */
static bool name_may_be(const struct ckpt_set *set, const struct ckpt_mode *mode, bool by_name)
{
	bool says_it =
		position_is(&set->named, mode) || (set->has_number && set->number == mode->number);

	return by_name ? says_it : !says_it;
}

static int pin_number_among(struct ckpt_selection *s, const struct ckpt_mode *mode, bool by_name,
			    struct ckpt_set **list)
{
	struct ckpt_catalog *cat = &s->res->catalog;
	int n = 0;

	for (size_t i = 0; i < cat->n_sets; i++) {
		struct ckpt_set *set = &cat->sets[i];
		struct ckpt_position position;

		if (!name_may_be(set, mode, by_name))
			continue;
		ckpt_set_verify(s->ctx, set, CKPT_LEVEL_STRUCTURE);
		if (!set->report)
			return -ENOMEM;
		if (by_name)
			ckpt_select_recall(s, set);
		if (!set->report)
			return -ENOMEM;
		if (!by_name && set->report->verdict.status == CKPT_UNREADABLE)
			s->unreadable++; /* may hold the number */
		position = ckpt_order_position(set);
		/* A damaged one whose name says the number is the pinned one, and is refused as
		 * such. */
		if (position_is(&position, mode) ||
		    (by_name && !position.has_step && !position.has_epoch) ||
		    (by_name && set->report->verdict.status != CKPT_VALID))
			list[n++] = set;
	}
	return ckpt_order_sort(list, (size_t)n) < 0 ? -ENOMEM : n;
}

/* No checkpoint is known to have the number. */
static int refuse_number(const struct ckpt_selection *s, const struct ckpt_mode *mode,
			 const char *word, struct ckpt_error *err)
{
	const char *dir = s->res->run_dirs[0];

	if (s->unreadable) {
		ckpt_fail(err, 0,
			  "no checkpoint of %s %lld was found in %s, and %zu could not be read: "
			  "the pinned one may be among them. Nothing was started; requeue the job "
			  "when they can be read",
			  word, (long long)mode->number, dir, s->unreadable);
		return CKPT_SELECT_UNKNOWN;
	}
	ckpt_fail(err, 0,
		  "there is no checkpoint of %s %lld in %s (--ckpt-resume=%s:N). Nothing "
		  "was started; `ckptctl list %s` shows what is there",
		  word, (long long)mode->number, dir, word, dir);
	return CKPT_SELECT_NONE;
}

static int pin_number(struct ckpt_selection *s, const struct ckpt_mode *mode, struct ckpt_set **ret,
		      struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_set **list =
		calloc(s->res->catalog.n_sets + 1, sizeof(struct ckpt_set *));
	const char *word = mode->kind == CKPT_MODE_STEP ? "step" : "epoch";
	int n, r = CKPT_SELECT_NONE;

	if (!list)
		return -ENOMEM;
	n = pin_number_among(s, mode, true, list);
	if (n == 0)
		n = pin_number_among(s, mode, false, list);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		r = pin_set(s, list[i], ret, err);
		if (r <= 0)
			return r;
	}
	return n == 0 ? refuse_number(s, mode, word, err) : r;
}

int ckpt_select_pinned(struct ckpt_selection *s, const struct ckpt_mode *mode,
		       struct ckpt_set **ret, struct ckpt_error *err)
{
	if (mode->kind == CKPT_MODE_PATH)
		return pin_path(s, mode, ret, err);
	if (mode->kind == CKPT_MODE_NAME)
		return pin_name(s, mode, ret, err);
	return pin_number(s, mode, ret, err);
}
