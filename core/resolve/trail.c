/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See trail.h.
 */
#include "core/resolve/trail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/order.h"

#define TRAIL_STEP 64 /* entries by which the trail grows */
#define LINE_NAMES 3  /* rejected checkpoints that the one-line decision names */

const char *ckpt_fate_name(enum ckpt_fate fate)
{
	static const char *const names[] = {
		[CKPT_FATE_CHOSEN] = "chosen",
		[CKPT_FATE_REJECTED] = "rejected",
		[CKPT_FATE_PASSED_OVER] = "passed-over",
		[CKPT_FATE_NOT_LOOKED_AT] = "not-looked-at",
		[CKPT_FATE_BUDGET] = "budget",
	};

	return names[fate];
}

int ckpt_trail_add(struct ckpt_resolution *res, struct ckpt_set *set, enum ckpt_fate fate,
		   const char *fmt, ...)
{
	struct ckpt_trail_entry *entry;
	va_list ap;

	if (res->n_trail % TRAIL_STEP == 0) {
		void *grown = reallocarray(res->trail, res->n_trail + TRAIL_STEP, sizeof(*entry));

		if (!grown)
			return -ENOMEM;
		res->trail = grown;
	}
	entry = &res->trail[res->n_trail++];
	entry->set = set;
	entry->earlier = set ? set->trail : 0;
	if (set)
		set->trail = res->n_trail;
	entry->fate = fate;
	entry->newer = false;
	va_start(ap, fmt);
	vsnprintf(entry->why, sizeof(entry->why), fmt, ap);
	va_end(ap);
	ckpt_text_clean(entry->why);
	return 0;
}

struct ckpt_trail_entry *ckpt_trail_of(struct ckpt_resolution *res, const struct ckpt_set *set)
{
	return set->trail ? &res->trail[set->trail - 1] : NULL;
}

void ckpt_trail_rebind(struct ckpt_resolution *res)
{
	for (size_t i = 0; i < res->catalog.n_sets; i++) {
		const struct ckpt_set *set = &res->catalog.sets[i];

		for (size_t at = set->trail; at > 0; at = res->trail[at - 1].earlier)
			res->trail[at - 1].set = set;
	}
}

const char *ckpt_report_words(char *buf, size_t size, const struct ckpt_report *report)
{
	const struct ckpt_verdict *v = &report->verdict;
	const struct ckpt_problem *p = &v->problem;

	const struct ckpt_finiteness *f = &report->finite;
	char finite[512];

	ckpt_finiteness_words(finite, sizeof(finite), f);
	if (v->status == CKPT_VALID && f->poisoned) {
		snprintf(buf, size, "valid but poisoned: %s", finite);
		return buf;
	}
	if (v->status == CKPT_VALID) {
		bool looked = ckpt_finiteness_looked(f);

		snprintf(buf, size, "valid by %s%s%s%s%s", ckpt_evidence_name(v->evidence),
			 v->note[0] ? ": " : "", v->note, looked ? "; " : "", looked ? finite : "");
		return buf;
	}
	snprintf(buf, size, "%s (%s)%s%s%s%s", ckpt_status_name(v->status),
		 ckpt_problem_name(p->code), p->member[0] ? " in " : "", p->member,
		 p->detail[0] ? ": " : "", p->detail);
	return buf;
}

const char *ckpt_position_words(char *buf, size_t size, const struct ckpt_position *position)
{
	char epoch[32];

	ckpt_text_number(epoch, sizeof(epoch), position->epoch);
	if (position->has_epoch && position->has_step)
		snprintf(buf, size, "epoch %s, step %lld", epoch, (long long)position->step);
	else if (position->has_epoch)
		snprintf(buf, size, "epoch %s", epoch);
	else if (position->has_step)
		snprintf(buf, size, "step %lld", (long long)position->step);
	else
		snprintf(buf, size, "position unknown");
	return buf;
}

void ckpt_resolution_warn(struct ckpt_resolution *res, const char *fmt, ...)
{
	char *warning = res->decision.warning;
	size_t room = sizeof(res->decision.warning), at = strlen(warning);
	va_list ap;
	int n;

	if (at > 0)
		at += (size_t)snprintf(warning + at, room - at, "; ");
	if (at >= room)
		at = room - 1;
	va_start(ap, fmt);
	n = vsnprintf(warning + at, room - at, fmt, ap);
	va_end(ap);
	if (n < 0)
		warning[at] = '\0';
	ckpt_text_clean(warning);
}

/* Whether the line should tell of @e: a rejected one that would have come first. */
static bool is_told(const struct ckpt_trail_entry *e, bool chosen)
{
	return e->fate == CKPT_FATE_REJECTED && e->set && e->set->report && (e->newer || !chosen);
}

/* "; 2 newer rejected: ckpt-5 truncated, ckpt-4 checksum" from the entries before the chosen one.
 */
static void add_rejected(struct ckpt_str *line, const struct ckpt_resolution *res, bool chosen)
{
	size_t n = 0, named = 0;

	for (size_t i = 0; i < res->n_trail; i++)
		n += is_told(&res->trail[i], chosen);
	if (n == 0)
		return;
	ckpt_str_add(line, chosen ? "; %zu newer rejected:" : "; %zu rejected:", n);
	for (size_t i = 0; i < res->n_trail && named < LINE_NAMES; i++) {
		const struct ckpt_trail_entry *e = &res->trail[i];

		if (!is_told(e, chosen))
			continue;
		ckpt_str_add(line, "%s %s %s", named++ ? "," : "", e->set->name,
			     ckpt_problem_name(e->set->report->verdict.problem.code));
	}
	if (n > named)
		ckpt_str_add(line, " and %zu more", n - named);
}

static void add_choice(struct ckpt_str *line, const struct ckpt_resolution *res,
		       const struct ckpt_set *chosen)
{
	const struct ckpt_decision *d = &res->decision;
	struct ckpt_position position;
	char words[96];

	if (!chosen) {
		ckpt_str_add(line, "starting fresh%s%s",
			     res->fresh_why[0] || !res->catalog.n_sets ? ": " : "",
			     res->fresh_why[0]	   ? res->fresh_why
			     : res->catalog.n_sets ? ""
						   : "no checkpoint in the run directory");
		return;
	}
	position = ckpt_order_position(chosen);
	ckpt_str_add(line, "%s %s (%s, %s)",
		     strcmp(d->mode, "resume") == 0 ? "resuming from" : "fine-tuning from", d->path,
		     ckpt_position_words(words, sizeof(words), &position), d->evidence);
}

void ckpt_resolution_line(struct ckpt_resolution *res, const struct ckpt_set *chosen)
{
	struct ckpt_decision *d = &res->decision;
	_cleanup_str_ struct ckpt_str line = { 0 };

	ckpt_str_add(&line, "attempt %lld (%s): ", (long long)d->attempt, d->reason);
	add_choice(&line, res, chosen);
	add_rejected(&line, res, chosen != NULL);
	if (line.s)
		snprintf(d->line, sizeof(d->line), "%s", line.s);
	ckpt_text_clean(d->line);
}
