/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs, newest member first. A member's age is asked of the file system for the few highest numbers
 * of each series alone, so that a folder of 100,000 checkpoints costs some dozens of stats.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/catalog/build.h"
#include "core/catalog/order.h"

#define STATS_PER_SERIES 4 /* the newest numbered one may be a dead link or an old import */
#define STATS_PER_RUN 64

/* Where run @run's sets begin, the catalog being sorted; *@ret_end is where they end. */
static size_t sets_of_run(const struct ckpt_catalog *cat, size_t from, int run, size_t *ret_end)
{
	size_t begin = from, end;

	while (begin < cat->n_sets && cat->sets[begin].run < run)
		begin++;
	for (end = begin; end < cat->n_sets && cat->sets[end].run == run;)
		end++;
	*ret_end = end;
	return begin;
}

/* The newest mtime among the leading members of the series in sets [@begin, @end). */
static int64_t newest_mtime(const struct ckpt_catalog *cat, size_t begin, size_t end)
{
	int64_t newest = 0;
	int in_series = 0, stats = 0;

	for (size_t i = begin; i < end && stats < STATS_PER_RUN; i++) {
		struct ckpt_identity id;

		in_series = i > begin && cat->sets[i].series == cat->sets[i - 1].series
				    ? in_series + 1
				    : 0;
		if (in_series >= STATS_PER_SERIES)
			continue;
		stats++;
		if (!ckpt_set_identity(&cat->sets[i], &id) && id.mtime_ns > newest)
			newest = id.mtime_ns;
	}
	return newest;
}

static void date_runs(struct ckpt_catalog *cat)
{
	size_t at = 0, end;

	for (size_t i = 0; i < cat->n_runs; i++) {
		at = sets_of_run(cat, at, (int)i, &end);
		if (!cat->runs[i].mtime_ns)
			cat->runs[i].mtime_ns = newest_mtime(cat, at, end);
		at = end;
	}
}

/* A run and where it stood. */
struct placed {
	struct ckpt_run run;
	int was;
};

static int compare_runs(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	if (x->run.mtime_ns != y->run.mtime_ns)
		return x->run.mtime_ns > y->run.mtime_ns ? -1 : 1;
	return strcmp(x->run.dir, y->run.dir);
}

static int sort_runs(struct ckpt_catalog *cat)
{
	_cleanup_free_ struct placed *placed = calloc(cat->n_runs, sizeof(*placed));
	_cleanup_free_ int *now = calloc(cat->n_runs, sizeof(*now));

	if (!placed || !now)
		return -ENOMEM;
	for (size_t i = 0; i < cat->n_runs; i++)
		placed[i] = (struct placed) { cat->runs[i], (int)i };
	qsort(placed, cat->n_runs, sizeof(*placed), compare_runs);
	for (size_t i = 0; i < cat->n_runs; i++) {
		cat->runs[i] = placed[i].run;
		now[placed[i].was] = (int)i;
	}
	for (size_t i = 0; i < cat->n_sets; i++) {
		if (cat->sets[i].run >= 0)
			cat->sets[i].run = now[cat->sets[i].run];
	}
	return 0;
}

int ckpt_catalog_order(struct ckpt_catalog *cat, struct ckpt_error *err)
{
	ckpt_order_sets(cat->sets, cat->n_sets);
	ckpt_crews_compare(cat->sets, cat->n_sets);
	if (cat->n_runs < 2)
		return 0;
	date_runs(cat);
	if (sort_runs(cat) < 0)
		return ckpt_fail(err, -ENOMEM, "no memory for %zu run folders", cat->n_runs);
	ckpt_order_sets(cat->sets, cat->n_sets);
	return 0;
}
