/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From members to sets: a bundle, shards with their index, the files of all ranks. A member never
 * stands alone.
 */
#include <stdlib.h>
#include <string.h>

#include "core/catalog/build.h"
#include "core/catalog/order.h"

void ckpt_members_done(struct ckpt_members *members)
{
	free(members->m);
	*members = (struct ckpt_members) { 0 };
}

int ckpt_members_add(struct ckpt_catalog *cat, struct ckpt_members *members, const char *name,
		     const struct ckpt_name *parsed, const struct ckpt_set *set)
{
	int r = ckpt_array_grow(&members->m, members->n, &members->cap, sizeof(*members->m));
	struct ckpt_member *m;

	if (r < 0)
		return r;
	m = &members->m[members->n];
	*m = (struct ckpt_member) {
		.name = ckpt_pool_copy(cat->pool, name),
		.stem = ckpt_pool_intern(cat->pool, parsed->stem),
		.fold = parsed->fold,
		.part = parsed->part,
		.weak = parsed->weak,
		.numbering = parsed->numbering,
		.ranks = parsed->ranks,
		.set = *set,
	};
	if (!m->name || !m->stem)
		return -ENOMEM;
	members->n++;
	return 0;
}

static int compare_members(const void *a, const void *b)
{
	const struct ckpt_member *x = a, *y = b;

	if (x->fold != y->fold)
		return x->fold < y->fold ? -1 : 1;
	if (x->stem != y->stem)
		return strcmp(x->stem, y->stem);
	if (x->part != y->part)
		return x->part < y->part ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Members of one set from @m on. */
static size_t group_len(const struct ckpt_member *m, size_t n)
{
	size_t i = 1;

	while (i < n && m[i].fold == m->fold && m[i].stem == m->stem)
		i++;
	return i;
}

static const struct ckpt_crew *make_crew(struct ckpt_catalog *cat, const struct ckpt_member *m,
					 size_t n)
{
	struct ckpt_crew *crew =
		ckpt_pool_alloc(cat->pool, sizeof(*crew) + n * sizeof(*crew->rank));

	if (!crew)
		return NULL;
	crew->name = m->name;
	crew->numbering = m->numbering;
	crew->total = m->ranks;
	crew->n = n;
	for (size_t i = 0; i < n; i++)
		crew->rank[i] = m[i].part;
	return crew;
}

/* The set that @n members make up. 0, 1 when they prove none, or -ENOMEM. */
static int make_set(struct ckpt_catalog *cat, const struct ckpt_member *m, size_t n,
		    struct ckpt_set *ret)
{
	bool weak = true, ranks = m->fold == CKPT_FOLD_RANKS;

	*ret = m->set;
	for (size_t i = 0; i < n; i++)
		weak = weak && m[i].weak;
	if (weak)
		return 1;
	ret->members = ckpt_pool_alloc(cat->pool, (n + 1) * sizeof(*ret->members));
	ret->crew = ranks ? make_crew(cat, m, n) : NULL;
	if (!ret->members || (ranks && !ret->crew))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ret->members[i] = m[i].name;
	ret->members[n] = NULL;
	ret->name = ranks ? m->name : m->stem;
	return 0;
}

static void sort_members(struct ckpt_members *members)
{
	if (members->n)
		qsort(members->m, members->n, sizeof(*members->m), compare_members);
}

int ckpt_members_fold(struct ckpt_catalog *cat, struct ckpt_members *members)
{
	struct ckpt_set set;
	size_t n;
	int r;

	sort_members(members);
	for (size_t i = 0; i < members->n; i += n) {
		n = group_len(&members->m[i], members->n - i);
		r = make_set(cat, &members->m[i], n, &set);
		if (r == 0)
			r = ckpt_catalog_add(cat, &set);
		if (r < 0)
			return r;
	}
	return 0;
}

/* All sets of @members, sorted. Their number or -ENOMEM. */
static ssize_t make_sets(struct ckpt_catalog *cat, struct ckpt_members *members,
			 struct ckpt_set *ret)
{
	size_t n, made = 0;
	int r;

	sort_members(members);
	for (size_t i = 0; i < members->n; i += n) {
		n = group_len(&members->m[i], members->n - i);
		r = make_set(cat, &members->m[i], n, &ret[made]);
		if (r < 0)
			return r;
		made += r == 0;
	}
	ckpt_order_sets(ret, made);
	return (ssize_t)made;
}

static bool has_member(const struct ckpt_set *set, const char *name)
{
	for (const char **m = set->members; *m; m++)
		if (strcmp(*m, name) == 0)
			return true;
	return false;
}

int ckpt_members_fold_one(struct ckpt_catalog *cat, struct ckpt_members *members, const char *name)
{
	_cleanup_free_ struct ckpt_set *sets = calloc(members->n + 1, sizeof(*sets));
	ssize_t n = sets ? make_sets(cat, members, sets) : -ENOMEM;

	if (n < 0)
		return (int)n;
	ckpt_crews_compare(sets, (size_t)n);
	for (ssize_t i = 0; i < n; i++)
		if (has_member(&sets[i], name))
			return ckpt_catalog_add(cat, &sets[i]);
	return -ENOENT;
}
