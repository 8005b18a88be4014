/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a start rejected of the work before it: see history.h. Its companion may have seen it whole,
 * or not at all. A start knows a checkpoint by its name alone: one that stays (Quarantine=mark) is
 * found again by it and stands in the list once, and so does another of that name which nobody saw.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/resolve/history.h"
#include "wire/text.h"

bool ckpt_history_is_broken(const char *verdict)
{
	return strcmp(verdict, "corrupt") == 0 || strcmp(verdict, "incomplete") == 0;
}

static bool is_rejected(const struct ckpt_history_saved *s)
{
	return ckpt_history_is_broken(s->verdict) || strcmp(s->verdict, "rejected") == 0;
}

/* True if the start of @first, a run's first attempt, rejected @name: then it is of no attempt. */
static bool has_passed(const struct ckpt_history_attempt *first, const char *name)
{
	for (size_t i = 0; i < first->n_passed; i++)
		if (strcmp(first->passed[i].name, name) == 0)
			return true;
	return false;
}

/* The checkpoint @name that was saved last by *@a or one before it, with *@a set to that one; NULL:
 * none, with *@a set to the first attempt. */
static struct ckpt_history_saved *saved_last(struct ckpt_history *h, const char *name,
					     struct ckpt_history_attempt **a)
{
	for (;; --*a) {
		for (size_t i = (*a)->n_saved; i-- > 0;)
			if (strcmp((*a)->saved[i].name, name) == 0)
				return &(*a)->saved[i];
		if (!ckpt_history_before(h, *a))
			return NULL;
	}
}

/* One more of @a, of which nothing but @p is known. NULL: no memory. */
static struct ckpt_history_saved *add(struct ckpt_history *h, struct ckpt_history_attempt *a,
				      const struct ckpt_history_passed *p)
{
	void *more = reallocarray(a->saved, a->n_saved + 1, sizeof(*a->saved));
	struct ckpt_history_saved *s;

	if (!more)
		return NULL;
	a->saved = more;
	s = &a->saved[a->n_saved++];
	*s = (struct ckpt_history_saved) { .at = CKPT_HISTORY_UNKNOWN };
	ckpt_text_copy(s->name, sizeof(s->name), p->name);
	h->n_saved++;
	return s;
}

/* @s of @a has been found by a later look to be what @p says. */
static void correct(struct ckpt_history_attempt *a, struct ckpt_history_saved *s,
		    const struct ckpt_history_passed *p)
{
	if (is_rejected(s))
		return;
	a->valid -= strcmp(s->verdict, "valid") == 0;
	a->rejected++;
	ckpt_text_copy(s->verdict, sizeof(s->verdict), "rejected");
	if (ckpt_history_is_broken(p->verdict))
		ckpt_text_copy(s->verdict, sizeof(s->verdict), p->verdict);
	ckpt_text_copy(s->problem, sizeof(s->problem), p->problem);
	s->evidence[0] = '\0';
}

static int pass(struct ckpt_history *h, struct ckpt_history_attempt *before,
		const struct ckpt_history_passed *p)
{
	struct ckpt_history_attempt *of = before;
	struct ckpt_history_saved *s = saved_last(h, p->name, &of);

	if (!s && has_passed(of, p->name))
		return 0;
	if (!s && h->n_saved >= CKPT_HISTORY_SAVED) {
		h->left_out++;
		return 0;
	}
	if (!s) {
		of = before;
		s = add(h, of, p);
	}
	if (!s)
		return -ENOMEM;
	correct(of, s, p);
	return 0;
}

int ckpt_history_pass(struct ckpt_history *h)
{
	for (size_t i = 0; i < h->n; i++) {
		const struct ckpt_history_attempt *a = &h->attempts[i];

		if (!ckpt_history_before(h, a))
			continue;
		for (size_t k = 0; k < a->n_passed; k++)
			if (pass(h, &h->attempts[i - 1], &a->passed[k]) < 0)
				return -ENOMEM;
	}
	return 0;
}
