/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See finite.h: a look through ranges (ranges.h).
 */
#include "core/base/finite.h"

#include <string.h>

#include "core/base/ranges.h"

#define NUMBER_MOST 8 /* bytes: the longest number is as long, all others divide that */

struct scan {
	const struct ckpt_finite_job *job;
	struct ckpt_finite *all;
};

/* Where a hit at @off belongs among those that are kept. */
static int hit_place(const struct ckpt_finite *all, uint64_t off)
{
	int at = all->n_hits;

	while (at > 0 && all->hits[at - 1].floats.first > off)
		at--;
	return at;
}

void ckpt_finite_enter(struct ckpt_finite *all, uint64_t tag, uint64_t bytes,
		       const struct ckpt_floats *found)
{
	int at;

	all->ranges++;
	all->bytes += bytes;
	if (found->nan + found->inf == 0)
		return;
	all->poisoned++;
	all->nan += found->nan;
	all->inf += found->inf;
	at = hit_place(all, found->first);
	if (at == CKPT_FINITE_HITS)
		return;
	if (all->n_hits < CKPT_FINITE_HITS)
		all->n_hits++;
	memmove(&all->hits[at + 1], &all->hits[at],
		(size_t)(all->n_hits - 1 - at) * sizeof(all->hits[0]));
	all->hits[at] = (struct ckpt_finite_hit) { .tag = tag, .floats = *found };
}

static int next(void *arg, union ckpt_range *ret)
{
	const struct scan *scan = arg;

	return scan->job->next(scan->job->arg, &ret->finite);
}

static void look(void *arg, const union ckpt_range *part, const struct ckpt_range_bytes *bytes,
		 union ckpt_range_found *found)
{
	(void)arg;
	ckpt_floats_count(part->finite.kind, bytes->data, bytes->len, bytes->off, &found->floats);
}

static void join(void *arg, union ckpt_range_found *whole, const union ckpt_range_found *part,
		 uint64_t behind)
{
	(void)arg;
	(void)behind;
	ckpt_floats_add(&whole->floats, &part->floats);
}

/* What was found counts, however far the rest of the range came. */
static bool enter(void *arg, const union ckpt_range *range, const union ckpt_range_found *found,
		  uint64_t done)
{
	const struct scan *scan = arg;

	if (done == range->len || found->floats.nan + found->floats.inf > 0)
		ckpt_finite_enter(scan->all, range->finite.tag, done, &found->floats);
	return true;
}

int ckpt_finite_scan(const struct ckpt_file *file, const struct ckpt_finite_job *job,
		     struct ckpt_finite *ret, struct ckpt_error *err)
{
	struct scan scan = { .job = job, .all = ret };
	const struct ckpt_ranges_job ranges = { .arg = &scan,
						.next = next,
						.look = look,
						.join = join,
						.end = enter,
						.unit = NUMBER_MOST,
						.total = job->total,
						.purpose = "to look for NaN and Inf" };
	union ckpt_range bad;
	int r;

	*ret = (struct ckpt_finite) { 0 };
	r = ckpt_ranges_run(file, &ranges, &bad, err);
	return r > 0 ? CKPT_FILE_SHORT : r;
}
