/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_order_sets() of order.h: a directory of 100,000 names has few series, so that the series are
 * compared, and the sets themselves are only counted into place by the bytes of their numbers.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/catalog/order.h"
#include "core/catalog/pool.h"
#include "wire/cleanup.h"

#define MEMO 8	  /* series that a directory's names come from by turns */
#define WORTH 128 /* sets below which qsort() is as good */
#define BYTES 12  /* of a ticket's key: rank and series */

/* Sets in a row of the catalog that share what ckpt_order_series() looks at. */
struct series {
	const struct ckpt_set *first;
	uint32_t place; /* among the series in their order; equal ones have the same */
	uint32_t index;
};

/* Where a set goes. */
struct ticket {
	uint64_t rank;
	uint32_t series, at; /* at: index of the set */
};

struct sorting {
	struct ckpt_set *sets;
	size_t n;
	struct series *series;
	size_t n_series, cap;
	struct ticket *tickets, *spare;
};

static void sorting_done(struct sorting *s)
{
	free(s->series);
	free(s->tickets);
	free(s->spare);
}
#define _cleanup_sorting_ _cleanup_(sorting_done)

static bool is_member(const struct series *series, const struct ckpt_set *set)
{
	const struct ckpt_set *first = series->first;

	return first->run == set->run && first->dir == set->dir && first->series == set->series &&
	       ckpt_order_series(first, set) == 0;
}

/* The series of @set: one of the last few, else a new one, be it that it was there long before. */
static int series_of(struct sorting *s, const struct ckpt_set *set, uint32_t *ret)
{
	size_t least = s->n_series > MEMO ? s->n_series - MEMO : 0;
	int r;

	for (size_t i = s->n_series; i-- > least;) {
		if (!is_member(&s->series[i], set))
			continue;
		*ret = (uint32_t)i;
		return 0;
	}
	r = ckpt_array_grow(&s->series, s->n_series, &s->cap, sizeof(*s->series));
	if (r < 0)
		return r;
	*ret = (uint32_t)s->n_series;
	s->series[s->n_series++] = (struct series) { .first = set, .index = *ret };
	return 0;
}

static int compare_series(const void *a, const void *b)
{
	const struct series *x = a, *y = b;

	return ckpt_order_series(x->first, y->first);
}

static int compare_index(const void *a, const void *b)
{
	const struct series *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

/* Gives each series its place; back in the order of their indexes. */
static void place_series(struct sorting *s)
{
	uint32_t place = 0;

	qsort(s->series, s->n_series, sizeof(*s->series), compare_series);
	for (size_t i = 0; i < s->n_series; i++) {
		place += i > 0 && compare_series(&s->series[i - 1], &s->series[i]) != 0;
		s->series[i].place = place;
	}
	qsort(s->series, s->n_series, sizeof(*s->series), compare_index);
}

static int make_tickets(struct sorting *s)
{
	s->tickets = malloc(s->n * sizeof(*s->tickets));
	s->spare = malloc(s->n * sizeof(*s->spare));
	if (!s->tickets || !s->spare)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		struct ticket *t = &s->tickets[i];

		*t = (struct ticket) { .rank = ckpt_order_rank(&s->sets[i]), .at = (uint32_t)i };
		if (series_of(s, &s->sets[i], &t->series) < 0)
			return -ENOMEM;
	}
	place_series(s);
	for (size_t i = 0; i < s->n; i++)
		s->tickets[i].series = s->series[s->tickets[i].series].place;
	return 0;
}

/* Byte @byte of a ticket, from the least significant one of its rank on. */
static uint8_t byte_of(const struct ticket *t, unsigned int byte)
{
	return (uint8_t)(byte < 8 ? t->rank >> byte * 8 : t->series >> (byte - 8) * 8);
}

/* Orders the tickets by one byte, of whose values there are @count each; else leaves their order.
 */
static void sort_by_byte(struct sorting *s, unsigned int byte, const uint32_t count[256])
{
	size_t begin[256], at = 0;
	struct ticket *sorted = s->spare;

	for (size_t v = 0; v < 256; v++) {
		begin[v] = at;
		at += count[v];
	}
	for (size_t i = 0; i < s->n; i++)
		sorted[begin[byte_of(&s->tickets[i], byte)]++] = s->tickets[i];
	s->spare = s->tickets;
	s->tickets = sorted;
}

/* By the bytes in which not all are the same, the least significant first. */
static void sort_tickets(struct sorting *s)
{
	uint32_t count[BYTES][256] = { 0 };

	for (size_t i = 0; i < s->n; i++)
		for (unsigned int byte = 0; byte < BYTES; byte++)
			count[byte][byte_of(&s->tickets[i], byte)]++;
	for (unsigned int byte = 0; byte < BYTES; byte++)
		if (count[byte][byte_of(&s->tickets[0], byte)] != s->n)
			sort_by_byte(s, byte, count[byte]);
}

/* Moves the sets to where their tickets stand, along the cycles of that permutation. */
static void move_sets(struct sorting *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct ckpt_set first = s->sets[i];
		size_t to = i, from = s->tickets[i].at;

		if (from == i)
			continue;
		for (; from != i; to = from, from = s->tickets[to].at) {
			s->sets[to] = s->sets[from];
			s->tickets[to].at = (uint32_t)to;
		}
		s->sets[to] = first;
		s->tickets[to].at = (uint32_t)to;
	}
}

/* Sets with the same number: by name. */
static void sort_ties(struct sorting *s)
{
	size_t end;

	for (size_t i = 0; i < s->n; i = end) {
		const struct ticket *t = &s->tickets[i];

		for (end = i + 1; end < s->n && t->series == s->tickets[end].series &&
				  t->rank == s->tickets[end].rank;)
			end++;
		if (end - i > 1)
			qsort(s->sets + i, end - i, sizeof(*s->sets), ckpt_order_catalog);
	}
}

void ckpt_order_sets(struct ckpt_set *sets, size_t n)
{
	_cleanup_sorting_ struct sorting s = { .sets = sets, .n = n };

	if (n < 2)
		return;
	if (n < WORTH || n > UINT32_MAX || make_tickets(&s) < 0) {
		qsort(sets, n, sizeof(*sets), ckpt_order_catalog);
		return;
	}
	sort_tickets(&s);
	move_sets(&s);
	sort_ties(&s);
}
