/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See rules.h.
 */
#include "core/resolve/rules.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/resolve/trail.h"

/* validation.min_size_bytes of the run configuration. */
static int rule_size(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		     size_t size)
{
	uint64_t bytes = set->report->verdict.size_bytes;

	if (s->config->min_size_bytes <= 0 || bytes >= (uint64_t)s->config->min_size_bytes)
		return 0;
	snprintf(why, size, "smaller than validation.min_size_bytes (%llu of %lld bytes)",
		 (unsigned long long)bytes, (long long)s->config->min_size_bytes);
	return CKPT_RULE_TURNED_AWAY;
}

/* validation.required_keys. A format that shows no keys cannot answer, and that is no yes. */
static int rule_keys(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		     size_t size)
{
	const struct ckpt_report *report = set->report;

	for (char *const *key = s->config->required_keys; *key; key++) {
		if (ckpt_report_has_key(report, *key))
			continue;
		snprintf(why, size, "validation.required_keys: %s %s", CKPT_QUOTE(*key),
			 report->n_keys && !report->keys_cut ? "is not in it"
							     : "cannot be looked up in it");
		return CKPT_RULE_TURNED_AWAY;
	}
	return 0;
}

/* Lineage: what lay there before this run began, ahead of where it started, is another line of
 * work. */
static int rule_foreign(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
			size_t size)
{
	struct ckpt_position position = ckpt_order_position(set), start;
	const struct ckpt_run_state *state = s->state;
	char here[96], base[96];
	int order = 0;

	if (!state || !state->have_mark || !state->ours || s->req->attempt == 0 ||
	    !ckpt_mark_is_foreign(&state->mark, &set->report->identity))
		return 0;
	ckpt_position_words(here, sizeof(here), &position);
	if (!state->mark.base[0]) {
		snprintf(why, size, "was there before this run began, and this run began fresh");
		return CKPT_RULE_NEVER;
	}
	start = ckpt_mark_base(&state->mark);
	ckpt_position_words(base, sizeof(base), &start);
	if (ckpt_order_progress(&position, &start, &order) != 0) {
		snprintf(why, size,
			 "was there before this run began, and cannot be compared with "
			 "where it started");
		return CKPT_RULE_LAST_RESORT;
	}
	if (order <= 0)
		return 0;
	snprintf(why, size,
		 "was there before this run began and lies ahead of where it started "
		 "(%s; this run began at %s)",
		 here, base);
	return CKPT_RULE_NEVER;
}

/* Poison: attempts that started from it ended by their own fault, and got no further. */
static int rule_poison(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		       size_t size)
{
	const struct ckpt_run_state *state = s->state;
	struct ckpt_past_place place = { .path = "" };
	int64_t n, last = 0;

	if (!state || !state->ours || s->req->attempt == 0)
		return 0;
	snprintf(place.path, sizeof(place.path), "%s/%s", set->dir, set->name);
	ckpt_past_id(place.id, sizeof(place.id), &set->report->identity);
	n = ckpt_past_failed_from(&state->past, &place, &last);
	if (n < CKPT_PAST_POISON)
		return 0;
	snprintf(why, size,
		 CKPT_RULE_POISON
		 "%lld attempts failed from it without a newer one, the last was %lld",
		 (long long)n, (long long)last);
	return CKPT_RULE_LAST_RESORT;
}

/* Of two that are equally strict the first is told. */
static int (*const rules[])(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
			    size_t size) = {
	rule_size,
	rule_keys,
	rule_foreign,
	rule_poison,
};

int ckpt_rules_ask(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		   size_t size)
{
	int strictest = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		char reason[512];
		int r = rules[i](s, set, reason, sizeof(reason));

		if (r <= strictest)
			continue;
		strictest = r;
		snprintf(why, size, "%s", reason);
	}
	return strictest;
}
