/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each set gets a key of plain numbers once, and keys compare field by field: a lexicographic order
 * over total orders is total, whatever the mixture of steps, epochs and neither.
 */
#include "core/catalog/order.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Groups whose members' numbers compare; also the order of groups of the same age. */
enum group { BY_STEP, BY_EPOCH, BY_NUMBER, BY_TIME };

struct key {
	struct ckpt_set *set;
	struct ckpt_position position;
	int tier;
	enum group group;
	int64_t group_mtime_ns; /* of the group's newest member */
	int64_t mtime_ns;
	enum ckpt_evidence evidence;
	int role;
};

static bool has_epoch(const struct ckpt_position *p)
{
	return p->has_epoch && !isnan(p->epoch);
}

int ckpt_order_progress(const struct ckpt_position *a, const struct ckpt_position *b, int *ret)
{
	if (a->has_step && b->has_step) {
		*ret = COMPARE(a->step, b->step);
		return 0;
	}
	if (has_epoch(a) && has_epoch(b)) {
		*ret = COMPARE(a->epoch, b->epoch);
		return 0;
	}
	return CKPT_ORDER_INCOMPARABLE;
}

struct ckpt_position ckpt_order_position(const struct ckpt_set *set)
{
	struct ckpt_position p = set->named;
	const struct ckpt_position *inside;

	if (!set->report)
		return p;
	inside = &set->report->position;
	p.has_loss = inside->has_loss;
	p.loss = inside->loss;
	memcpy(p.loss_key, inside->loss_key, sizeof(p.loss_key));
	if (inside->has_step) {
		p.has_step = true;
		p.step = inside->step;
		p.step_source = inside->step_source;
	}
	if (has_epoch(inside)) {
		p.has_epoch = true;
		p.epoch = inside->epoch;
		p.epoch_source = inside->epoch_source;
		p.meaning = inside->meaning;
	}
	return p;
}

/* 3 step, 2 epoch, 1 number, 0 nothing. */
static int number_kind(const struct ckpt_set *set)
{
	if (set->named.has_step)
		return 3;
	return has_epoch(&set->named) ? 2 : set->has_number;
}

/* As unsigned words whose order is that of the numbers. */
static uint64_t word_of_int(int64_t n)
{
	return (uint64_t)n ^ (UINT64_C(1) << 63);
}

static uint64_t word_of_double(double d)
{
	int64_t bits;

	d += 0.0; /* one zero */
	memcpy(&bits, &d, sizeof(bits));
	return bits < 0 ? ~(uint64_t)bits : word_of_int(bits);
}

uint64_t ckpt_order_rank(const struct ckpt_set *set)
{
	switch (number_kind(set)) {
	case 3:
		return ~word_of_int(set->named.step);
	case 2:
		return ~word_of_double(set->named.epoch);
	case 1:
		return ~word_of_int(set->number);
	default:
		return 0;
	}
}

static int compare_text(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a, b);
}

int ckpt_order_series(const struct ckpt_set *a, const struct ckpt_set *b)
{
	int c = COMPARE(a->run, b->run);

	if (!c)
		c = compare_text(a->dir, b->dir);
	if (!c)
		c = compare_text(a->series, b->series);
	return c ? c : COMPARE(number_kind(b), number_kind(a));
}

int ckpt_order_catalog(const void *a, const void *b)
{
	const struct ckpt_set *x = a, *y = b;
	int c = ckpt_order_series(x, y);

	if (!c)
		c = COMPARE(ckpt_order_rank(x), ckpt_order_rank(y));
	if (!c)
		c = strcmp(x->name, y->name);
	return c ? c : COMPARE(x->kind, y->kind);
}

static int tier_of(const struct ckpt_set *set)
{
	if (set->role == CKPT_ROLE_PRETRAINED)
		return 2;
	return set->report && set->report->contents == CKPT_CONTENTS_WEIGHTS;
}

/* Rank of a role among sets of the same progress; lower is better. */
static int role_rank(enum ckpt_role role)
{
	static const int rank[] = {
		[CKPT_ROLE_LAST] = 0,  [CKPT_ROLE_NUMBERED] = 1,   [CKPT_ROLE_BEST] = 2,
		[CKPT_ROLE_NAMED] = 3, [CKPT_ROLE_SUPERSEDED] = 4, [CKPT_ROLE_PRETRAINED] = 5,
	};

	return rank[role];
}

static struct key make_key(struct ckpt_set *set)
{
	return (struct key) {
		.set = set,
		.position = ckpt_order_position(set),
		.tier = tier_of(set),
		.mtime_ns = set->report ? set->report->identity.mtime_ns : 0,
		.evidence = set->report ? set->report->verdict.evidence : CKPT_EVIDENCE_NONE,
		.role = role_rank(set->role),
	};
}

/* Whether all numbered sets of @tier have a step, an epoch. */
static void tier_numbers(const struct key *keys, size_t n, int tier, bool *ret_steps,
			 bool *ret_epochs)
{
	*ret_steps = *ret_epochs = true;
	for (size_t i = 0; i < n; i++) {
		const struct ckpt_position *p = &keys[i].position;

		if (keys[i].tier != tier || (!p->has_step && !has_epoch(p)))
			continue;
		*ret_steps = *ret_steps && p->has_step;
		*ret_epochs = *ret_epochs && has_epoch(p);
	}
}

static enum group group_of(const struct key *key, bool epochs)
{
	if (key->position.has_step && !epochs)
		return BY_STEP;
	if (has_epoch(&key->position))
		return BY_EPOCH;
	return key->set->has_number ? BY_NUMBER : BY_TIME;
}

static int compare_series(const struct key *a, const struct key *b)
{
	int c = compare_text(a->set->dir, b->set->dir);

	return c ? c : compare_text(a->set->series, b->set->series);
}

/* Tier, group and, where each series is a group, the series. */
static int compare_groups(const struct key *a, const struct key *b)
{
	int c = COMPARE(a->tier, b->tier);

	if (!c)
		c = COMPARE(b->group_mtime_ns, a->group_mtime_ns);
	if (!c)
		c = COMPARE(a->group, b->group);
	return c || a->group != BY_NUMBER ? c : compare_series(a, b);
}

/* Number inside a group, lower first. */
static int compare_inside(const struct key *a, const struct key *b)
{
	int c;

	switch (a->group) {
	case BY_STEP:
		return COMPARE(a->position.step, b->position.step);
	case BY_EPOCH:
		c = COMPARE(a->position.epoch, b->position.epoch);
		if (!c)
			c = COMPARE(a->position.has_step, b->position.has_step);
		if (!c && a->position.has_step)
			c = COMPARE(a->position.step, b->position.step);
		return c;
	case BY_NUMBER:
		return COMPARE(a->set->number, b->set->number);
	case BY_TIME:
		c = COMPARE(b->set->role == CKPT_ROLE_SUPERSEDED,
			    a->set->role == CKPT_ROLE_SUPERSEDED);
		return c ? c : COMPARE(a->mtime_ns, b->mtime_ns);
	}
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int c = compare_groups(x, y);

	if (!c)
		c = compare_inside(y, x);
	if (!c)
		c = COMPARE(y->evidence, x->evidence);
	if (!c)
		c = COMPARE(x->role, y->role);
	if (!c)
		c = COMPARE(y->mtime_ns, x->mtime_ns);
	if (!c)
		c = compare_text(x->set->dir, y->set->dir);
	if (!c)
		c = strcmp(x->set->name, y->set->name);
	return c ? c : COMPARE(x->set->kind, y->set->kind);
}

/* Gives each run of keys of one group (sorted so) the mtime of its newest. */
static void date_groups(struct key *keys, size_t n)
{
	size_t end;

	for (size_t i = 0; i < n; i = end) {
		int64_t newest = keys[i].mtime_ns;

		for (end = i + 1; end < n && !compare_groups(&keys[i], &keys[end]); end++) {
			if (keys[end].mtime_ns > newest)
				newest = keys[end].mtime_ns;
		}
		for (size_t k = i; k < end; k++)
			keys[k].group_mtime_ns = newest;
	}
}

/* Groups by what all numbered sets of a tier share; then dates the groups. */
static void form_groups(struct key *keys, size_t n)
{
	bool steps[3], epochs[3];

	for (int tier = 0; tier < 3; tier++)
		tier_numbers(keys, n, tier, &steps[tier], &epochs[tier]);
	for (size_t i = 0; i < n; i++) {
		int tier = keys[i].tier;

		keys[i].group = group_of(&keys[i], !steps[tier] && epochs[tier]);
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	date_groups(keys, n);
}

int ckpt_order_sort(struct ckpt_set **sets, size_t n)
{
	_cleanup_free_ struct key *keys = NULL;

	if (n < 2)
		return 0;
	keys = calloc(n, sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		keys[i] = make_key(sets[i]);
	form_groups(keys, n);
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		sets[i] = keys[i].set;
	return 0;
}
