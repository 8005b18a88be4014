/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See trail.h.
 */
#include "core/resolve/trail.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/format/differing.h"

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

/* Whether @text has @word between others: no letter or digit touches it. */
static bool mentions(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++)
		if ((at == text || !isalnum((unsigned char)at[-1])) &&
		    !isalnum((unsigned char)at[n]))
			return true;
	return false;
}

/* Adds "(checksum) in data/3 of optimizer.pt at byte 1234: it is ...": what the sentence tells by
 * itself is not said twice, nor where the whole file is empty. */
static void add_problem(struct ckpt_str *s, const struct ckpt_problem *p, const char *name)
{
	char at[24];

	ckpt_str_add(s, " (%s)", ckpt_problem_name(p->code));
	if (p->member[0])
		ckpt_str_add(s, " in %s", p->member);
	if (p->file[0] && (!name || strcmp(p->file, name) != 0) && !mentions(p->detail, p->file))
		ckpt_str_add(s, " %s %s", p->member[0] ? "of" : "in", p->file);
	snprintf(at, sizeof(at), "%llu", (unsigned long long)p->offset);
	if (p->offset != CKPT_NO_OFFSET && p->code != CKPT_PROBLEM_EMPTY &&
	    !mentions(p->detail, at))
		ckpt_str_add(s, " at byte %s", at);
	if (p->detail[0])
		ckpt_str_add(s, ": %s", p->detail);
}

/* The first range is the problem itself. */
static void add_differing(struct ckpt_str *s, const struct ckpt_differing *all)
{
	char also[CKPT_REPORT_WORDS / 2], bytes[32];

	if (all->ranges > 1)
		ckpt_str_add(s, "; also %s; %llu ranges, %s in all",
			     ckpt_differing_words(also, sizeof(also), all, 1),
			     (unsigned long long)all->ranges,
			     ckpt_text_size(bytes, sizeof(bytes), all->bytes));
}

static void add_valid(struct ckpt_str *s, const struct ckpt_report *report, const char *name)
{
	const struct ckpt_verdict *v = &report->verdict;
	const struct ckpt_finiteness *f = &report->finite;
	char finite[512];

	ckpt_finiteness_words(finite, sizeof(finite), f);
	if (f->poisoned)
		ckpt_str_add(s, "valid but poisoned: %s", finite);
	else
		ckpt_str_add(s, "valid by %s%s%s", ckpt_evidence_name(v->evidence),
			     v->note[0] ? ": " : "", v->note);
	if (v->problem.code && !(f->poisoned && v->problem.code == CKPT_PROBLEM_NON_FINITE)) {
		ckpt_str_add(s, "; remark");
		add_problem(s, &v->problem, name);
	}
	if (!f->poisoned && ckpt_finiteness_looked(f))
		ckpt_str_add(s, "; %s", finite);
}

const char *ckpt_report_words(char *buf, size_t size, const struct ckpt_report *report,
			      const char *name)
{
	_cleanup_str_ struct ckpt_str s = { 0 };

	if (report->verdict.status == CKPT_VALID) {
		add_valid(&s, report, name);
	} else {
		ckpt_str_add(&s, "%s", ckpt_status_name(report->verdict.status));
		add_problem(&s, &report->verdict.problem, name);
		add_differing(&s, &report->differing);
	}
	snprintf(buf, size, "%s", s.s ? s.s : ckpt_status_name(report->verdict.status));
	ckpt_text_clean(buf);
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

/* Where nothing was found: most who are surprised by a fresh start save somewhere else. */
static void add_nothing(struct ckpt_str *line, const struct ckpt_resolution *res)
{
	if (res->n_run_dirs == 0) {
		ckpt_str_add(line, ": no checkpoint in the run directory");
		return;
	}
	ckpt_str_add(line, ": no checkpoint in %s", res->run_dirs[0]);
	if (res->n_run_dirs > 1)
		ckpt_str_add(line, " and %d more", res->n_run_dirs - 1);
	if (res->decision.attempt > 0)
		ckpt_str_add(line, " (--ckpt-dir=DIR, if your program saves elsewhere)");
}

static void add_choice(struct ckpt_str *line, const struct ckpt_resolution *res,
		       const struct ckpt_set *chosen)
{
	const struct ckpt_decision *d = &res->decision;
	struct ckpt_position position;
	char words[96];

	if (!chosen) {
		ckpt_str_add(line, "starting fresh");
		if (res->fresh_why[0])
			ckpt_str_add(line, ": %s", res->fresh_why);
		else if (!res->catalog.n_sets)
			add_nothing(line, res);
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
