/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_expected.h. Of two lists that say something of one file that of the better kind wins,
 * else the later one, as the nearer one to the file; the others are kept as its rivals.
 */
#include "core/integrity/sidecar_expected.h"

#include <stdio.h>
#include <string.h>

#include "wire/text.h"

/* Whether @next is worth more than what is expected: a line of the file's own more than another's,
 * what can prove damage more than what cannot, a better kind more than a worse, a list as new as
 * the file more than an older one. */
static bool outranks(const struct ckpt_expected *next, const struct ckpt_expected *e)
{
	if (e->sum.kind == CKPT_SUM_NONE)
		return true;
	if (next->foreign != e->foreign)
		return e->foreign;
	if (next->loose != e->loose && !(next->loose ? e : next)->older)
		return e->loose;
	if (next->sum.kind != e->sum.kind)
		return next->sum.kind > e->sum.kind;
	return e->older || !next->older;
}

static bool same_sum(const struct ckpt_sum *a, const struct ckpt_sum *b)
{
	return a->kind == b->kind && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* Lines about other files, of which there may be many, take no more than one place. */
static void add_rival(struct ckpt_expected *e, const struct ckpt_sum *sum, bool foreign)
{
	if ((foreign && e->n_rivals > 0) || sum->kind == CKPT_SUM_NONE || same_sum(&e->sum, sum) ||
	    e->n_rivals == CKPT_SIDECAR_RIVALS)
		return;
	e->rivals[e->n_rivals++] = *sum;
}

void ckpt_sidecar_expect(const struct ckpt_sidecar_search *s, size_t file,
			 const struct ckpt_said *said)
{
	struct ckpt_expected *e = &s->expected[file], next = *e;

	next.sum = *said->sum;
	next.older = said->mtime_ns < s->files->f[file].id.mtime_ns;
	next.foreign = said->foreign;
	next.loose = said->loose;
	next.sized = said->size != NULL;
	next.size = said->size ? *said->size : 0;
	snprintf(next.source, sizeof(next.source), "%.63s", said->source);
	ckpt_text_clean(next.source);
	if (!outranks(&next, e)) {
		add_rival(e, &next.sum, next.foreign);
		return;
	}
	add_rival(&next, &e->sum, e->foreign);
	*e = next;
}
