/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See finiteness.h.
 */
#include "core/format/finiteness.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "wire/text.h"

void ckpt_finiteness_skip(struct ckpt_check *check, uint64_t n, const char *fmt, ...)
{
	struct ckpt_finiteness *f = &check->report->finite;
	va_list ap;

	f->unscanned += n;
	if (n == 0 || f->why[0])
		return;
	va_start(ap, fmt);
	vsnprintf(f->why, sizeof(f->why), fmt, ap);
	va_end(ap);
	ckpt_text_clean(f->why);
}

void ckpt_finiteness_count(struct ckpt_check *check, const struct ckpt_finite *found)
{
	struct ckpt_finiteness *f = &check->report->finite;

	f->tensors += found->ranges;
	f->poisoned += found->poisoned;
	f->nan += found->nan;
	f->inf += found->inf;
}

void ckpt_finiteness_name(struct ckpt_check *check, const char *tensor,
			  const struct ckpt_floats *floats)
{
	struct ckpt_finiteness *f = &check->report->finite;
	struct ckpt_poisoned *p;

	if (f->n_named == CKPT_POISON_NAMED)
		return;
	p = &f->named[f->n_named++];
	*p = (struct ckpt_poisoned) { .nan = floats->nan,
				      .inf = floats->inf,
				      .offset = floats->first };
	snprintf(p->file, sizeof(p->file), "%s", check->file ? check->file->name : check->name);
	snprintf(p->tensor, sizeof(p->tensor), "%s", tensor);
	ckpt_text_clean(p->file);
	ckpt_text_clean(p->tensor);
}

void ckpt_finiteness_tensor(struct ckpt_check *check, const char *tensor,
			    const struct ckpt_floats *floats)
{
	struct ckpt_finite one = { 0 };

	ckpt_finite_enter(&one, 0, 0, floats);
	ckpt_finiteness_count(check, &one);
	if (one.poisoned)
		ckpt_finiteness_name(check, tensor, floats);
}

int ckpt_finiteness_scan(struct ckpt_check *check, const struct ckpt_finite_job *job,
			 struct ckpt_finite *ret)
{
	int r = ckpt_finite_scan(check->file, job, ret, check->err);

	ckpt_finiteness_count(check, ret);
	if (r <= 0)
		return r;
	return ckpt_fail(check->err, -EAGAIN, "%s changed while it was read",
			 CKPT_QUOTE(check->file->name));
}

static int one_range(void *arg, struct ckpt_finite_range *ret)
{
	struct ckpt_finite_range *range = arg;

	*ret = *range;
	range->len = 0;
	return ret->len > 0;
}

int ckpt_finiteness_range(struct ckpt_check *check, const struct ckpt_finite_range *range,
			  const char *tensor)
{
	struct ckpt_finite_range left = *range;
	const struct ckpt_finite_job job = { .next = one_range, .arg = &left, .total = range->len };
	struct ckpt_finite found;
	int r;

	if (range->len == 0 || ckpt_float_size(range->kind.type) == 0)
		return 0;
	r = ckpt_finiteness_scan(check, &job, &found);
	if (found.n_hits)
		ckpt_finiteness_name(check, tensor, &found.hits[0].floats);
	return r;
}

/* The remark is the answer to what was asked: it takes the place of any other. */
static void remark(struct ckpt_check *check)
{
	const struct ckpt_finiteness *f = &check->report->finite;
	struct ckpt_problem *problem = &check->report->verdict.problem;
	char words[sizeof(problem->detail)];

	if (f->poisoned == 0 || check->report->verdict.status != CKPT_VALID)
		return;
	*problem =
		(struct ckpt_problem) { .code = CKPT_PROBLEM_NON_FINITE, .offset = CKPT_NO_OFFSET };
	snprintf(problem->file, sizeof(problem->file), "%s",
		 f->n_named ? f->named[0].file : check->name);
	if (f->n_named) {
		problem->offset = f->named[0].offset;
		snprintf(problem->member, sizeof(problem->member), "%s", f->named[0].tensor);
	}
	snprintf(problem->detail, sizeof(problem->detail), "%s",
		 ckpt_finiteness_words(words, sizeof(words), f));
}

int ckpt_finiteness_run(struct ckpt_check *check, const struct ckpt_format *row)
{
	struct ckpt_finiteness *f = &check->report->finite;
	int r = row->finite ? row->finite(check) : 0;

	if (row->finite)
		f->files++;
	else if (f->files == 0 && f->unscanned == 0)
		ckpt_finiteness_skip(check, 1, "%s is not looked through", row->name);
	if (r == -ETIMEDOUT || r == -EDQUOT) {
		ckpt_finiteness_skip(check, 1, "budget (%s)", r == -ETIMEDOUT ? "time" : "bytes");
		r = 0;
	}
	remark(check);
	return r;
}

void ckpt_finiteness_add(struct ckpt_finiteness *all, const struct ckpt_finiteness *member)
{
	all->files += member->files;
	all->tensors += member->tensors;
	all->poisoned += member->poisoned;
	all->nan += member->nan;
	all->inf += member->inf;
	if (all->unscanned == 0)
		memcpy(all->why, member->why, sizeof(all->why));
	all->unscanned += member->unscanned;
	for (int i = 0; i < member->n_named && all->n_named < CKPT_POISON_NAMED; i++)
		all->named[all->n_named++] = member->named[i];
}

bool ckpt_finiteness_looked(const struct ckpt_finiteness *finite)
{
	return finite->files || finite->unscanned;
}

/* "2 NaN and 1 Inf" of what is there. */
static void counts(struct ckpt_str *s, uint64_t nan, uint64_t inf)
{
	if (nan)
		ckpt_str_add(s, "%llu NaN", (unsigned long long)nan);
	if (inf)
		ckpt_str_add(s, "%s%llu Inf", nan ? " and " : "", (unsigned long long)inf);
}

const char *ckpt_finiteness_words(char *buf, size_t size, const struct ckpt_finiteness *finite)
{
	_cleanup_str_ struct ckpt_str s = { 0 };
	const struct ckpt_poisoned *first = &finite->named[0];

	if (finite->poisoned == 0)
		ckpt_str_add(&s, "no NaN, no Inf");
	counts(&s, finite->nan, finite->inf);
	ckpt_str_add(&s, " in ");
	if (finite->poisoned)
		ckpt_str_add(&s, "%llu of ", (unsigned long long)finite->poisoned);
	ckpt_str_add(&s, "%llu tensors", (unsigned long long)finite->tensors);
	if (finite->n_named)
		ckpt_str_add(&s, ", first %s at %llu of %s", first->tensor,
			     (unsigned long long)first->offset, first->file);
	if (finite->unscanned)
		ckpt_str_add(&s, "; %llu not looked through (%s)",
			     (unsigned long long)finite->unscanned, finite->why);
	snprintf(buf, size, "%s", s.s ? s.s : "");
	return buf;
}
