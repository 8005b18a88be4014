/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See own.h.
 */
#include "core/resolve/own.h"

#include <string.h>

#define STATS_PER_SERIES 16 /* a save of ours has a higher name than all but a few */

bool ckpt_own_is_known(const struct ckpt_selection *s)
{
	return s->state && s->state->have_mark && s->state->ours && s->req->attempt > 0 &&
	       s->res->catalog.n_runs > 1;
}

/* Whether it is where the run began, which is no work of it; by name alone where the ledger does
 * not reach back to attempt 0. */
static bool is_base(const struct ckpt_run_state *state, const struct ckpt_set *set,
		    const struct ckpt_identity *id)
{
	const struct ckpt_past_attempt *row = ckpt_past_find(&state->past, 0);
	char text[sizeof(row->first.id)];

	if (strcmp(set->name, state->mark.base) != 0)
		return false;
	return !row || !row->first.id[0] ||
	       strcmp(row->first.id, ckpt_past_id(text, sizeof(text), id)) == 0;
}

static bool is_own(const struct ckpt_run_state *state, const struct ckpt_set *set)
{
	struct ckpt_identity id;

	return ckpt_set_identity(set, &id) == 0 && !ckpt_mark_is_foreign(&state->mark, &id) &&
	       !is_base(state, set, &id);
}

bool ckpt_own_in_run(const struct ckpt_selection *s, int run)
{
	const struct ckpt_catalog *cat = &s->res->catalog;
	const char *series = "";
	size_t seen = 0;

	for (size_t i = 0; i < cat->n_sets; i++) {
		const struct ckpt_set *set = &cat->sets[i];

		if (set->run != run)
			continue;
		seen = strcmp(series, set->series) == 0 ? seen + 1 : 0;
		series = set->series;
		if (seen < STATS_PER_SERIES && is_own(s->state, set))
			return true;
	}
	return false;
}
