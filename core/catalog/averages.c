/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See averages.h. Few directories have such names at all, so that the names are put in order only
 * once one was met.
 */
#include "core/catalog/averages.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/cleanup.h"

#define WORD_LEN 3

static const char *const words[] = { "ema", "swa" };

static bool is_word(const char *at)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strncasecmp(at, words[i], WORD_LEN) == 0)
			return !isalnum((unsigned char)at[WORD_LEN]);
	return false;
}

/* @name without such a word and the sign that joins it, in @ret. False if it has none. */
static bool plain_name(const char *name, char ret[NAME_MAX + 1])
{
	for (const char *at = name; *at; at++) {
		bool joined = at > name && strchr("-_.=", at[-1]);
		const char *rest = at + WORD_LEN;

		if ((at > name && isalnum((unsigned char)at[-1])) || !is_word(at))
			continue;
		rest += !joined && *rest && strchr("-_=", *rest);
		return snprintf(ret, NAME_MAX + 1, "%.*s%s", (int)(at - name) - joined, name,
				rest) <= NAME_MAX;
	}
	return false;
}

static int compare_places(const void *a, const void *b)
{
	const struct ckpt_set *x = *(struct ckpt_set *const *)a;
	const struct ckpt_set *y = *(struct ckpt_set *const *)b;
	int c = x->dir == y->dir ? 0 : strcmp(x->dir, y->dir);

	return c ? c : strcmp(x->name, y->name);
}

static int sorted(struct ckpt_set *const *sets, size_t n, struct ckpt_set ***ret)
{
	*ret = malloc(n * sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, sets, n * sizeof(**ret));
	qsort(*ret, n, sizeof(**ret), compare_places);
	return 0;
}

int ckpt_averages_find(struct ckpt_set *const *sets, size_t n, bool *ret)
{
	_cleanup_free_ struct ckpt_set **places = NULL;
	char name[NAME_MAX + 1];

	for (size_t i = 0; i < n; i++) {
		struct ckpt_set plain = { .dir = sets[i]->dir, .name = name }, *key = &plain;

		if (!plain_name(sets[i]->name, name))
			continue;
		if (!places && sorted(sets, n, &places) < 0)
			return -ENOMEM;
		ret[i] = bsearch(&key, places, n, sizeof(*places), compare_places) != NULL;
	}
	return 0;
}
