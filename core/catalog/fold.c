/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From members to sets: a bundle, shards with their index, the files of all ranks. A member never
 * stands alone.
 */
#include <stdlib.h>
#include <string.h>

#include "core/catalog/build.h"

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
		.crew = parsed->crew,
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

/* The set that @n members make up. 0, 1 when they prove none, or an errno. */
static int make_set(struct ckpt_catalog *cat, const struct ckpt_member *m, size_t n)
{
	struct ckpt_set set = m->set;
	bool weak = true;

	for (size_t i = 0; i < n; i++)
		weak = weak && m[i].weak;
	if (weak)
		return 1;
	set.members = ckpt_pool_alloc(cat->pool, (n + 1) * sizeof(*set.members));
	if (!set.members)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		set.members[i] = m[i].name;
	set.members[n] = NULL;
	set.name = m->fold == CKPT_FOLD_RANKS ? m->name : m->stem;
	set.ranks = m->fold == CKPT_FOLD_RANKS;
	set.crew = m->crew ? m[n - 1].part + 1 : 0;
	return ckpt_catalog_add(cat, &set);
}

/* What one set of a series has, all must have; the names' order keeps a series together. */
static void share_crew(struct ckpt_set *sets, size_t n)
{
	int64_t crew = 0;
	size_t i;

	for (i = 0; i < n && sets[i].crew && !strcmp(sets[i].series, sets[0].series); i++)
		crew = sets[i].crew > crew ? sets[i].crew : crew;
	while (i-- > 0)
		sets[i].crew = crew;
}

static void share_crews(struct ckpt_set *sets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !sets[i].crew || strcmp(sets[i].series, sets[i - 1].series) != 0)
			share_crew(sets + i, n - i);
}

int ckpt_members_fold(struct ckpt_catalog *cat, struct ckpt_members *members)
{
	size_t n, first = cat->n_sets;
	int r;

	if (members->n)
		qsort(members->m, members->n, sizeof(*members->m), compare_members);
	for (size_t i = 0; i < members->n; i += n) {
		n = group_len(&members->m[i], members->n - i);
		r = make_set(cat, &members->m[i], n);
		if (r < 0)
			return r;
	}
	if (cat->n_sets > first)
		share_crews(cat->sets + first, cat->n_sets - first);
	return 0;
}
