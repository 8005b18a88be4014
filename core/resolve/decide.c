/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See decide.h.
 */
#include "core/resolve/decide.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/resolve/account.h"
#include "core/base/text.h"
#include "core/catalog/order.h"
#include "core/resolve/trail.h"

#define REST_TOLD 16 /* candidates that the choice did not need and the trail still names */

void ckpt_decide_refused(struct ckpt_resolution *res, enum ckpt_refusal code, const char *fmt, ...)
{
	struct ckpt_decision *d = &res->decision;
	int at = snprintf(d->line, sizeof(d->line), "attempt %lld: ", (long long)d->attempt);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->line + at, sizeof(d->line) - (size_t)at, fmt, ap);
	va_end(ap);
	ckpt_text_clean(d->line);
	ckpt_text_copy(d->mode, sizeof(d->mode), "refused");
	d->refusal = code;
}

void ckpt_decide_done(struct ckpt_resolution *res)
{
	struct ckpt_decision *d = &res->decision;

	ckpt_text_copy(d->mode, sizeof(d->mode), "done");
	snprintf(d->line, sizeof(d->line),
		 "attempt %lld (%s): this run was declared done: nothing is started (`ckptctl done "
		 "--undo %.600s` takes that back)",
		 (long long)d->attempt, d->reason, res->roots.dir[0]);
	ckpt_text_clean(d->line);
}

void ckpt_decide_marked(struct ckpt_resolution *res, const char *name)
{
	struct ckpt_decision *d = &res->decision;

	ckpt_text_copy(d->mode, sizeof(d->mode), "done");
	snprintf(d->line, sizeof(d->line),
		 "attempt %lld (%s): the end marker %s is there: nothing is started. If the run is "
		 "to go on, remove it, and `scontrol requeue %lld`",
		 (long long)d->attempt, d->reason, CKPT_QUOTE(name), (long long)d->job_id);
	ckpt_text_clean(d->line);
}

void ckpt_decide_finished(struct ckpt_resolution *res, int64_t attempt)
{
	struct ckpt_decision *d = &res->decision;

	ckpt_text_copy(d->mode, sizeof(d->mode), "done");
	snprintf(d->line, sizeof(d->line),
		 "attempt %lld (%s): this run finished in attempt %lld: nothing is started. If it "
		 "is to run again, `scontrol requeue %lld`",
		 (long long)d->attempt, d->reason, (long long)attempt, (long long)d->job_id);
}

void ckpt_decide_fresh(struct ckpt_resolution *res)
{
	struct ckpt_decision *d = &res->decision;

	ckpt_text_copy(d->mode, sizeof(d->mode), "fresh");
	ckpt_text_copy(d->start_epoch, sizeof(d->start_epoch), "0");
	ckpt_resolution_line(res, NULL);
}

/* Whether @set lies in or below one of the run directories. */
static bool in_run_directory(const struct ckpt_resolution *res, const struct ckpt_set *set)
{
	if (res->fallback && set->run >= 0 &&
	    res->catalog.runs[set->run].request == res->n_run_dirs)
		return true; /* the work directory, searched by default */
	for (int i = 0; i < res->n_run_dirs; i++) {
		size_t len = strlen(res->run_dirs[i]);

		if (strncmp(set->dir, res->run_dirs[i], len) == 0 &&
		    (set->dir[len] == '\0' || set->dir[len] == '/'))
			return true;
	}
	return false;
}

/* The set of @set's series with the greatest number by name. */
static const struct ckpt_set *newest_of_series(const struct ckpt_resolution *res,
					       const struct ckpt_set *set)
{
	for (size_t i = 0; i < res->catalog.n_sets; i++) {
		const struct ckpt_set *other = &res->catalog.sets[i];

		if (other->run == set->run && strcmp(other->series, set->series) == 0)
			return other; /* the catalog has the newest first */
	}
	return NULL;
}

/* Whether a rejected @other would have come before @chosen, by content where it has one, else by
 * name. */
static bool comes_before(const struct ckpt_set *other, const struct ckpt_set *chosen)
{
	struct ckpt_position a = ckpt_order_position(other), b = ckpt_order_position(chosen);
	bool known;
	int order;

	known = ckpt_order_progress(&a, &b, &order) == 0;
	if (ckpt_order_is_doubtful(&a, &b))
		return other->report->identity.mtime_ns > chosen->report->identity.mtime_ns;
	if (known && order != 0)
		return order > 0;
	if (other->has_number && chosen->has_number && strcmp(other->series, chosen->series) == 0)
		return other->number > chosen->number;
	if (known)
		return false;
	return other->report->identity.mtime_ns > chosen->report->identity.mtime_ns;
}

static bool mark_newer(struct ckpt_resolution *res, const struct ckpt_set *chosen)
{
	bool any = false;

	for (size_t i = 0; i < res->n_trail; i++) {
		struct ckpt_trail_entry *e = &res->trail[i];

		if (!e->set || !e->set->report || e->set == chosen)
			continue;
		e->newer = comes_before(e->set, chosen);
		any |= e->newer && e->fate == CKPT_FATE_REJECTED;
	}
	return any;
}

/* Why the choice did not need @set. */
static const char *rest_words(const struct ckpt_resolution *res, const struct ckpt_set *set)
{
	if (set->report && set->report->released)
		return "released to tape; not needed for the decision";
	if (!set->report || set->report->verdict.status != CKPT_VALID)
		return "not needed for the decision";
	if (set->report->contents == CKPT_CONTENTS_WEIGHTS && res->chosen &&
	    res->chosen->report->contents != CKPT_CONTENTS_WEIGHTS)
		return "whole, but weights alone: training goes on from one with its optimizer";
	return "whole, but not the one with the most progress";
}

/* The candidates that the choice did not need: the first few by name, the others as a count. */
static void trail_rest(struct ckpt_resolution *res)
{
	size_t told = 0;

	for (size_t i = 0; i < res->catalog.n_sets; i++) {
		struct ckpt_set *set = &res->catalog.sets[i];
		bool seen = set->report && set->report->verdict.status == CKPT_VALID;

		if (ckpt_trail_of(res, set))
			continue;
		if (told++ < REST_TOLD)
			ckpt_trail_add(res, set,
				       seen ? CKPT_FATE_PASSED_OVER : CKPT_FATE_NOT_LOOKED_AT, "%s",
				       rest_words(res, set));
		else
			res->n_unseen++;
	}
}

static void say_name_disagreement(struct ckpt_resolution *res, const struct ckpt_set *set)
{
	const struct ckpt_position *in = &set->report->position, *by = &set->named;

	if (by->has_step && in->has_step && by->step != in->step)
		ckpt_resolution_warn(res,
				     "the name of %s says step %lld, its content says %lld; the "
				     "content counts",
				     set->name, (long long)by->step, (long long)in->step);
}

/* epoch_info.json beside the chosen one: what it adds, and where it disagrees, both numbers. */
static void consult_epoch_info(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			       struct ckpt_resolution *res, const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);
	struct ckpt_epoch_info info = { 0 };
	struct ckpt_error err = { 0 };
	int r = dirfd < 0 ? CKPT_EPOCH_INFO_ABSENT : ckpt_epoch_info_load(ctx, dirfd, &info, &err);
	struct ckpt_position p = ckpt_order_position(set);
	char number[32];

	if (r == CKPT_EPOCH_INFO_TORN)
		ckpt_resolution_warn(res, "%s", err.text);
	ckpt_epochs_of(set, newest_of_series(res, set), r == 0 ? &info : NULL, req->epoch,
		       &res->epochs);
	if (r == CKPT_EPOCH_INFO_TORN)
		res->decision.settle = 1;
	if (r != 0 || !info.has_last || !p.has_epoch)
		return;
	if (res->epochs.has_completed ? info.last_completed_epoch == res->epochs.completed
				      : (double)info.last_completed_epoch == p.epoch)
		return;
	ckpt_resolution_warn(
		res,
		"epoch_info.json says last_completed_epoch %lld, the checkpoint %s holds "
		"epoch %s; the checkpoint counts",
		(long long)info.last_completed_epoch, set->name,
		ckpt_text_number(number, sizeof(number), p.epoch));
	res->decision.settle |= res->epochs.info_ahead;
}

struct ckpt_pointer_subject ckpt_decide_subject(const struct ckpt_set *set)
{
	const struct ckpt_format *format = set->report ? set->report->format : NULL;

	return (struct ckpt_pointer_subject) {
		.kind = set->kind,
		.name = set->name,
		.format = format ? format->name : NULL,
		.ranks = set->crew ? (const char *const *)set->members : NULL,
	};
}

/* One framework's pointer: when it names another than the chosen one, or nothing. */
static void consult_pointer(struct ckpt_ctx *ctx, struct ckpt_resolution *res, int dirfd,
			    const struct ckpt_pointer_row *row)
{
	const struct ckpt_pointer_subject subject = ckpt_decide_subject(res->chosen);
	char target[CKPT_POINTER_NAME];
	int r;

	if (!ckpt_pointer_applies(row, &subject))
		return;
	r = row->load(ctx, dirfd, row, target, NULL);
	if (r == CKPT_POINTER_TORN && row->mends)
		ckpt_resolution_warn(res, "the pointer file `%s` names nothing, chosen is %s",
				     row->file, subject.name);
	else if (r != 0 || ckpt_pointer_names(target, &subject))
		return;
	else
		ckpt_resolution_warn(res, "the pointer file `%s` names %s, chosen is %s", row->file,
				     CKPT_QUOTE(target), subject.name);
	res->decision.settle = 1;
}

static void consult_pointers(struct ckpt_ctx *ctx, struct ckpt_resolution *res,
			     const struct ckpt_set *set)
{
	_cleanup_close_ int dirfd = ckpt_dir_open(AT_FDCWD, set->dir, NULL);

	for (const struct ckpt_pointer_row *row = ckpt_pointer_rows; dirfd >= 0 && row->file; row++)
		consult_pointer(ctx, res, dirfd, row);
}

static void print_int(char *buf, size_t size, bool known, int64_t value)
{
	if (known)
		snprintf(buf, size, "%lld", (long long)value);
}

static void fill_numbers(struct ckpt_resolution *res, const struct ckpt_set *set, bool resume)
{
	struct ckpt_position p = ckpt_order_position(set);
	struct ckpt_decision *d = &res->decision;

	print_int(d->step, sizeof(d->step), p.has_step, p.step);
	if (!resume) {
		ckpt_text_copy(d->start_epoch, sizeof(d->start_epoch), "0");
		return;
	}
	print_int(d->resume_epoch, sizeof(d->resume_epoch), res->epochs.has_completed,
		  res->epochs.completed);
	print_int(d->start_epoch, sizeof(d->start_epoch), res->epochs.has_start, res->epochs.start);
	if (p.has_epoch && !res->epochs.has_start)
		ckpt_resolution_warn(
			res,
			"CKPT_START_EPOCH is empty: whether epoch %g in %s is a completed one "
			"is not known (--ckpt-epoch=completed|next says it)",
			p.epoch, set->name);
}

/* A first start that goes on from another job's checkpoints says whose they are. */
static void say_continuation(struct ckpt_resolution *res, bool resume)
{
	char *line = res->decision.line;
	size_t at = strlen(line);

	if (!res->first || !resume || !res->state.have_mark || res->state.ours)
		return;
	if (res->state.mark.job_id == 0)
		snprintf(line + at, sizeof(res->decision.line) - at,
			 "; continues a run that no job of Slurm's began");
	else
		snprintf(line + at, sizeof(res->decision.line) - at,
			 "; continues the run of job %lld", (long long)res->state.mark.job_id);
}

/* Law 6: what time did not suffice for may be newer than the chosen one. */
static void say_cut_off(struct ckpt_resolution *res)
{
	size_t n = 0;

	for (size_t i = 0; i < res->n_trail; i++)
		n += res->trail[i].fate == CKPT_FATE_BUDGET;
	if (n > 0)
		ckpt_resolution_warn(
			res,
			"the budget ran out before %zu further checkpoints were looked "
			"at: one of them may be newer",
			n);
}

void ckpt_decide_chosen(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			struct ckpt_resolution *res, struct ckpt_set *set)
{
	struct ckpt_decision *d = &res->decision;
	bool resume = set->report->contents != CKPT_CONTENTS_WEIGHTS &&
		      set->role != CKPT_ROLE_PRETRAINED && in_run_directory(res, set);
	char words[512];

	res->chosen = set;
	ckpt_text_copy(d->mode, sizeof(d->mode), resume ? "resume" : "finetune");
	ckpt_text_copy(d->root, sizeof(d->root), set->dir);
	ckpt_text_copy(d->tag, sizeof(d->tag), set->name);
	snprintf(d->path, sizeof(d->path), "%s/%s", set->dir, set->name);
	ckpt_text_copy(d->evidence, sizeof(d->evidence),
		       ckpt_evidence_name(set->report->verdict.evidence));
	ckpt_report_words(words, sizeof(words), set->report, set->name);
	ckpt_trail_add(res, set, CKPT_FATE_CHOSEN, "%s", words);
	if (mark_newer(res, set))
		d->settle = 1;
	if (resume)
		consult_epoch_info(ctx, req, res, set);
	consult_pointers(ctx, res, set);
	say_cut_off(res);
	say_name_disagreement(res, set);
	if (*ckpt_account_size(&res->catalog, set, words, sizeof(words)))
		ckpt_resolution_warn(res, "%s is suspicious, and taken all the same: %s", set->name,
				     words);
	fill_numbers(res, set, resume);
	trail_rest(res);
	ckpt_resolution_line(res, set);
	say_continuation(res, resume);
}
