/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders. Numbers compare as numbers, a step is never compared with an epoch, and every sorted list
 * comes from a total order, so that two callers with the same candidates cannot disagree.
 */
#ifndef CKPT_CORE_CATALOG_ORDER_H
#define CKPT_CORE_CATALOG_ORDER_H

#include "core/catalog/catalog.h"

enum ckpt_order_result {
	CKPT_ORDER_INCOMPARABLE = 1, /* neither a step nor an epoch on both sides */
};

/*
 * Compares two positions: by step where both have one, else by epoch; two steps that may count
 * inside their epochs by these first. 0 with *@ret < 0, 0 or > 0 as
 * @a is behind, level with or ahead of @b; or CKPT_ORDER_INCOMPARABLE. A pairwise answer: no order
 * of lists (that is ckpt_order_sort()).
 */
int ckpt_order_progress(const struct ckpt_position *a, const struct ckpt_position *b, int *ret);

/* Position of @set: each number from its report where that has it, else from its name. */
struct ckpt_position ckpt_order_position(const struct ckpt_set *set);

/*
 * Order inside the catalog, for qsort: by run, directory, series; then the higher step (else epoch,
 * else number) first, then by name. @a and @b point at struct ckpt_set. It is ckpt_order_series(),
 * then ckpt_order_rank(), then the name.
 */
int ckpt_order_catalog(const void *a, const void *b);

/* Its first part: run, directory, series and which kind of number the name holds. */
int ckpt_order_series(const struct ckpt_set *a, const struct ckpt_set *b);

/* Its second part, for sets that are level in the first: a lower rank comes before a higher one. */
uint64_t ckpt_order_rank(const struct ckpt_set *set);

/*
 * Sorts @sets as qsort() with ckpt_order_catalog() would, in time linear in their number where few
 * series hold most of them. Without memory for that it is qsort().
 */
void ckpt_order_sets(struct ckpt_set *sets, size_t n);

/*
 * Whether of two positions whose steps may count inside their epochs the one has the higher epoch
 * and the other the higher step: what began again, the step with an epoch or the epochs with an
 * attempt, only the saves' times tell.
 */
bool ckpt_order_is_doubtful(const struct ckpt_position *a, const struct ckpt_position *b);

/*
 * Sorts @sets, the most progress first. The key, in this order:
 *  1. tier: everything else before weights-only ones, these before pretrained ones;
 *  2. inside a tier, groups whose numbers compare. If each numbered set of the tier has a step, all
 * go by step, or by epoch and then step where all of these may begin again with each epoch and the
 * saves' times do not speak for the contrary; else, if each has an epoch, all go by epoch; else
 * those with a step and those with only an epoch are two groups. Sets whose number has no known
 * meaning form a group a series, those without any number one group. The group with the newest
 * member (mtime of its identity; 0 while unverified) comes first; ties by the order named here;
 *  3. the number, higher first; in the group without numbers superseded ones last, then mtime,
 * newer first; an average (averages.h) of another of @sets behind that one, and behind all groups
 * where no step or epoch tells that the two are level;
 *  4. stronger evidence; 5. role: last, numbered, best, named, superseded; 6. mtime, newer
 * first; 7. directory and name. Sets may be verified or not. 0 or -ENOMEM (then nothing was moved).
 */
int ckpt_order_sort(struct ckpt_set **sets, size_t n);

#endif
