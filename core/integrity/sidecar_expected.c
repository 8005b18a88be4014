/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sidecar_expected.h. Of two lists that say something of one file that of the better kind wins,
 * else the later one, as the nearer one to the file; the other is kept as its rival.
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

void ckpt_sidecar_expect(const struct ckpt_sidecar_search *s, size_t file,
			 const struct ckpt_said *said)
{
	struct ckpt_expected *e = &s->expected[file], next = *e;
	bool same = memcmp(e->sum.b, said->sum->b, sizeof(e->sum.b)) == 0;

	next.sum = *said->sum;
	next.older = said->mtime_ns < s->files->f[file].id.mtime_ns;
	next.foreign = said->foreign;
	next.loose = said->loose;
	next.sized = said->size != NULL;
	next.size = said->size ? *said->size : 0;
	if (e->sum.kind != next.sum.kind)
		next.rival.kind = CKPT_SUM_NONE;
	else if (!same)
		next.rival = e->sum;
	snprintf(next.source, sizeof(next.source), "%.63s", said->source);
	ckpt_text_clean(next.source);
	if (outranks(&next, e))
		*e = next;
	else if (e->sum.kind == next.sum.kind && !same)
		e->rival = next.sum;
}
