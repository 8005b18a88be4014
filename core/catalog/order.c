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

#include "core/catalog/averages.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Groups whose members' numbers compare; also the order of groups of the same age. */
enum group { BY_STEP, BY_EPOCH, BY_NUMBER, BY_TIME };

struct key {
	struct ckpt_set *set;
	struct ckpt_position position;
	int tier;
	enum group group;
	bool average;		/* of another one that is sorted with it */
	int64_t group_mtime_ns; /* of the group's newest member */
	int64_t mtime_ns;
	enum ckpt_evidence evidence;
	int role;
};

static bool has_epoch(const struct ckpt_position *p)
{
	return p->has_epoch && !isnan(p->epoch);
}

/* Whether the step may have begun again with each epoch. */
static bool may_restart(const struct ckpt_position *p)
{
	return p->has_step && p->step_vague && has_epoch(p);
}

int ckpt_order_progress(const struct ckpt_position *a, const struct ckpt_position *b, int *ret)
{
	if (a->has_step && b->has_step) {
		*ret = may_restart(a) && may_restart(b) ? COMPARE(a->epoch, b->epoch) : 0;
		if (!*ret)
			*ret = COMPARE(a->step, b->step);
		return 0;
	}
	if (has_epoch(a) && has_epoch(b)) {
		*ret = COMPARE(a->epoch, b->epoch);
		return 0;
	}
	return CKPT_ORDER_INCOMPARABLE;
}

bool ckpt_order_is_doubtful(const struct ckpt_position *a, const struct ckpt_position *b)
{
	return may_restart(a) && may_restart(b) &&
	       COMPARE(a->epoch, b->epoch) * COMPARE(a->step, b->step) < 0;
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
		/* files called by their steps alone: had these begun again, so had the names */
		p.step_vague =
			inside->step_vague && (!set->named.has_step || has_epoch(&set->named));
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

#define STEP_BITS 40 /* of a word that holds an epoch too */

/* An epoch and a step inside it in one word; beyond it they are level, and the names decide. */
static uint64_t word_of_both(const struct ckpt_position *p)
{
	const double epochs = (double)(UINT64_C(1) << (64 - STEP_BITS));
	const uint64_t steps = UINT64_C(1) << STEP_BITS;
	uint64_t step = p->step < 0 ? 0 : (uint64_t)p->step;
	uint64_t epoch = (uint64_t)(p->epoch < 0 ? 0 : p->epoch < epochs ? p->epoch : epochs - 1);

	return epoch << STEP_BITS | (step < steps ? step : steps - 1);
}

uint64_t ckpt_order_rank(const struct ckpt_set *set)
{
	switch (number_kind(set)) {
	case 3:
		return may_restart(&set->named) ? ~word_of_both(&set->named)
						: ~word_of_int(set->named.step);
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

/* What all numbered sets of a tier have: a step, an epoch, a step that may begin again with it. */
struct numbers {
	bool steps, epochs, restarts;
};

static struct numbers tier_numbers(const struct key *keys, size_t n, int tier)
{
	struct numbers all = { true, true, true };

	for (size_t i = 0; i < n; i++) {
		const struct ckpt_position *p = &keys[i].position;

		if (keys[i].tier != tier || (!p->has_step && !has_epoch(p)))
			continue;
		all.steps = all.steps && p->has_step;
		all.epochs = all.epochs && has_epoch(p);
		all.restarts = all.restarts && may_restart(p);
	}
	return all;
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

/* An average of which no number tells that it is level with the plain one. */
static bool stands_back(const struct key *key)
{
	return key->average && (key->group == BY_NUMBER || key->group == BY_TIME);
}

/* Tier, group and, where each series is a group, the series. */
static int compare_groups(const struct key *a, const struct key *b)
{
	int c = COMPARE(a->tier, b->tier);

	if (!c)
		c = COMPARE(stands_back(a), stands_back(b));
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
		c = COMPARE(x->average, y->average);
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

/*
 * Of steps that may restart, sorted by epoch: whether they did. Where an epoch has more and the
 * step less, one of the two began anew, the step with an epoch or the epochs with an attempt; the
 * later of two such saves tells which. Without an answer, as most loops do it.
 */
static bool steps_restart(const struct key *keys, size_t n, int tier)
{
	int64_t votes = 0;

	for (size_t i = 1; i < n; i++) {
		const struct key *ahead = &keys[i - 1], *behind = &keys[i];

		if (ahead->tier == tier && behind->tier == tier && ahead->group == BY_EPOCH &&
		    behind->group == BY_EPOCH && ahead->position.step < behind->position.step)
			votes += COMPARE(ahead->mtime_ns, behind->mtime_ns);
	}
	return votes >= 0;
}

/* Puts the keys in groups, and those in order. @epochs: the tiers that go by epoch. */
static void group_keys(struct key *keys, size_t n, const bool epochs[3])
{
	for (size_t i = 0; i < n; i++)
		keys[i].group = group_of(&keys[i], epochs[keys[i].tier]);
	qsort(keys, n, sizeof(*keys), compare_keys);
}

/* Groups by what all numbered sets of a tier share; then dates the groups. */
static void form_groups(struct key *keys, size_t n)
{
	struct numbers all[3];
	bool epochs[3];

	for (int tier = 0; tier < 3; tier++) {
		all[tier] = tier_numbers(keys, n, tier);
		epochs[tier] = all[tier].epochs && (!all[tier].steps || all[tier].restarts);
	}
	group_keys(keys, n, epochs);
	for (int tier = 0; tier < 3; tier++)
		if (all[tier].restarts)
			epochs[tier] = steps_restart(keys, n, tier);
	group_keys(keys, n, epochs);
	date_groups(keys, n);
}

int ckpt_order_sort(struct ckpt_set **sets, size_t n)
{
	_cleanup_free_ struct key *keys = NULL;
	_cleanup_free_ bool *averages = NULL;

	if (n < 2)
		return 0;
	keys = calloc(n, sizeof(*keys));
	averages = calloc(n, sizeof(*averages));
	if (!keys || !averages || ckpt_averages_find(sets, n, averages) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		keys[i] = make_key(sets[i]);
		keys[i].average = averages[i];
	}
	form_groups(keys, n);
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		sets[i] = keys[i].set;
	return 0;
}
