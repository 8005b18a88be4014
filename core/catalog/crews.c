/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which sets of a series lack the files of ranks that others have: a writer that dies leaves the
 * last ranks as well without a file as those between, and names alone show it. Lists are sorted, so
 * that comparing costs what reading them does.
 */
#include "core/catalog/build.h"
#include "core/catalog/order.h"

bool ckpt_crew_next_lost(struct ckpt_crew_walk *walk, int64_t *ret_rank)
{
	const struct ckpt_crew *crew = walk->crew, *elder = walk->elder;

	while (walk->at < elder->n) {
		int64_t rank = elder->rank[walk->at++];

		while (walk->own < crew->n && crew->rank[walk->own] < rank)
			walk->own++;
		if (walk->own < crew->n && crew->rank[walk->own] == rank)
			continue;
		*ret_rank = rank;
		return true;
	}
	return false;
}

static bool has_all(const struct ckpt_crew *own, const struct ckpt_crew *of)
{
	struct ckpt_crew_walk walk = { .crew = own, .elder = of };
	int64_t lost;

	return !ckpt_crew_next_lost(&walk, &lost);
}

static bool same(const struct ckpt_crew *a, const struct ckpt_crew *b)
{
	return has_all(a, b) && has_all(b, a);
}

/* Whether @set and as many newer ones as are asked for have the same ranks; @first is the series'
 * newest. */
static bool is_agreed(const struct ckpt_set *first, const struct ckpt_set *set)
{
	for (int i = 1; i < CKPT_CREW_AGREED; i++)
		if (set - i < first || !same(set[-i].crew, set->crew))
			return false;
	return true;
}

/* One series, the newest first: each is held against what came before it. */
static void compare_series(struct ckpt_set *sets, size_t n)
{
	const struct ckpt_crew *elder = NULL;

	for (struct ckpt_set *set = sets + n; set-- > sets;) {
		set->elder = NULL;
		set->usual_crew = (set > sets && same(set[-1].crew, set->crew)) ||
				  (set + 1 < sets + n && same(set[1].crew, set->crew));
		if (set->crew->total)
			continue;
		if (elder && !has_all(set->crew, elder) && !is_agreed(sets, set))
			set->elder = elder;
		else
			elder = set->crew;
	}
}

void ckpt_crews_compare(struct ckpt_set *sets, size_t n)
{
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		end = i + 1;
		if (!sets[i].crew)
			continue;
		while (end < n && sets[end].crew && ckpt_order_series(&sets[i], &sets[end]) == 0)
			end++;
		compare_series(&sets[i], end - i);
	}
}
