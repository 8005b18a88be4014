/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See rules.h.
 */
#include "core/resolve/rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/names.h"
#include "core/catalog/order.h"
#include "core/resolve/trail.h"
#include "wire/text.h"

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

/*
 * @order of @set to where the run began, of which step and epoch say the contrary: which of them
 * began again, the step with an epoch or the epochs with an attempt, the saves' times tell, as in
 * order.c. As it is where the ledger does not reach back to attempt 0.
 */
static int order_by_time(const struct ckpt_run_state *state, const struct ckpt_set *set, int order)
{
	const struct ckpt_past_attempt *row = ckpt_past_find(&state->past, 0);
	int64_t own_ns = set->report->identity.mtime_ns, base_ns;

	if (!row || !ckpt_past_id_time(row->first.id, &base_ns))
		return order;
	return (own_ns > base_ns) - (own_ns < base_ns);
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
	start.step_vague = position.step_vague; /* one program's both */
	ckpt_position_words(base, sizeof(base), &start);
	if (ckpt_order_progress(&position, &start, &order) != 0) {
		snprintf(why, size,
			 "was there before this run began, and cannot be compared with "
			 "where it started");
		return CKPT_RULE_LAST_RESORT;
	}
	if (ckpt_order_is_doubtful(&position, &start))
		order = order_by_time(state, set, order);
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

#define DATA_ASKED 4096 /* sets that one's name is held against */

/* Endings of data of any kind. */
static bool is_any_data(const struct ckpt_set *set)
{
	struct ckpt_pattern_match match;

	return set->kind == CKPT_KIND_FILE && set->role != CKPT_ROLE_NAMED &&
	       ckpt_pattern_match("*.(" CKPT_NAME_DATA_ENDS "|bin|pkl|npz)", set->name, &match);
}

/* The letters of @name without its ending. */
static void letters_of(const char *name, char *ret, size_t size)
{
	const char *end = strrchr(name, '.');
	size_t n = 0;

	for (; *name && name != end && n + 1 < size; name++)
		if (isalpha((unsigned char)*name))
			ret[n++] = *name;
	ret[n] = '\0';
}

/* Samples, losses and histories are called after the checkpoints that they were saved with: they
 * have those words, and others. */
static int rule_data(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		     size_t size)
{
	const struct ckpt_catalog *cat;
	char own[CKPT_NAME_SIZE], other[CKPT_NAME_SIZE];

	if (!is_any_data(set))
		return 0;
	cat = &s->res->catalog;
	letters_of(set->name, own, sizeof(own));
	for (size_t i = 0; i < cat->n_sets && i < DATA_ASKED; i++) {
		if (cat->sets[i].run != set->run || is_any_data(&cat->sets[i]))
			continue;
		letters_of(cat->sets[i].name, other, sizeof(other));
		if (!other[0] || strlen(other) == strlen(own) || !strstr(own, other))
			continue;
		snprintf(why, size, "by its name it is data of checkpoints like %.100s",
			 cat->sets[i].name);
		return CKPT_RULE_LAST_RESORT;
	}
	return 0;
}

/* Of two that are equally strict the first is told. */
static const struct rule {
	int (*ask)(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		   size_t size);
	bool unread; /* goes by nothing that has to be read */
} rules[] = {
	{ rule_size, false },  { rule_keys, false }, { rule_foreign, true },
	{ rule_poison, true }, { rule_data, true },
};

int ckpt_rules_ask(const struct ckpt_selection *s, const struct ckpt_set *set, char *why,
		   size_t size)
{
	bool unread = set->report->verdict.status != CKPT_VALID;
	int strictest = 0;

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		char reason[512];
		int r = unread && !rules[i].unread ? 0
						   : rules[i].ask(s, set, reason, sizeof(reason));

		if (r <= strictest)
			continue;
		strictest = r;
		snprintf(why, size, "%s", reason);
	}
	return strictest;
}
