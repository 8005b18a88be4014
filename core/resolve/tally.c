/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tally.h.
 */
#include "core/resolve/tally.h"

#include <stdio.h>
#include <string.h>

/* Whether @e tells of one that has to be counted now. */
static bool is_counted(const struct ckpt_resolution *res, const struct ckpt_trail_entry *e)
{
	return e->fate == CKPT_FATE_REJECTED && (e->newer || !res->chosen) &&
	       !ckpt_past_has_rejected(&res->state.past, &e->set->report->identity);
}

/* Appends "FORMAT/PROBLEM" to the list in @list, of @size bytes, if it fits. */
static void add(char *list, size_t size, const struct ckpt_report *report)
{
	size_t at = strlen(list);
	char word[80];
	int n = snprintf(word, sizeof(word), "%s%s/%s", at ? "," : "",
			 report->format ? report->format->name : "unknown",
			 ckpt_problem_name(report->verdict.problem.code));

	if (n < (int)sizeof(word) && at + (size_t)n < size)
		memcpy(list + at, word, (size_t)n + 1);
}

void ckpt_tally(const struct ckpt_resolution *res, struct ckpt_decision *ret)
{
	double seconds = 0;

	ret->rejected[0] = '\0';
	for (size_t i = 0; i < res->n_trail; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];

		if (!e->set || !e->set->report)
			continue;
		seconds += e->set->report->verdict.seconds;
		if (is_counted(res, e))
			add(ret->rejected, sizeof(ret->rejected), e->set->report);
	}
	ret->verify_ms = seconds > 0 && seconds < 1e6 ? (int64_t)(seconds * 1000 + 0.5) : 0;
}
