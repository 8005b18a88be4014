/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See differing.h.
 */
#include "core/format/differing.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "wire/text.h"

/* The last range that was added, while it is a named one. */
static struct ckpt_differing_range *last_of(struct ckpt_differing *all)
{
	return all->n_named && all->ranges == (uint64_t)all->n_named ? &all->named[all->n_named - 1]
								     : NULL;
}

void ckpt_differing_add(struct ckpt_differing *all, const char *file, uint64_t off, uint64_t len)
{
	struct ckpt_differing_range *last = last_of(all), one = { .off = off, .len = len };

	snprintf(one.file, sizeof(one.file), "%s", file);
	ckpt_text_clean(one.file);
	all->bytes += len;
	if (last && strcmp(last->file, one.file) == 0 && last->off + last->len == off) {
		last->len += len;
		return;
	}
	if (all->n_named < CKPT_DIFFERENCES_NAMED)
		all->named[all->n_named++] = one;
	all->ranges++;
}

void ckpt_differing_join(struct ckpt_differing *all, const struct ckpt_differing *more)
{
	struct ckpt_differing sum = *all;

	for (int i = 0; i < more->n_named; i++) {
		const struct ckpt_differing_range *d = &more->named[i];
		int n = sum.n_named;

		ckpt_differing_add(&sum, d->file, d->off, d->len);
		if (sum.n_named > n)
			memcpy(sum.named[n].member, d->member, sizeof(d->member));
	}
	sum.ranges += more->ranges - (uint64_t)more->n_named;
	sum.bytes = all->bytes + more->bytes;
	sum.cut = all->cut || more->cut;
	*all = sum;
}

const char *ckpt_differing_words(char *buf, size_t size, const struct ckpt_differing *all,
				 int first)
{
	const uint64_t more = all->ranges - (uint64_t)all->n_named;
	_cleanup_str_ struct ckpt_str s = { 0 };

	for (int i = first; i < all->n_named; i++) {
		const struct ckpt_differing_range *d = &all->named[i];

		ckpt_str_add(&s, "%s", i > first ? "; " : "");
		if (d->len)
			ckpt_str_add(&s, "bytes %llu to %llu of ", (unsigned long long)d->off,
				     (unsigned long long)(d->off + d->len - 1));
		ckpt_str_add(&s, "%s", d->file);
		if (d->member[0])
			ckpt_str_add(&s, " (%s)", d->member);
	}
	if (more)
		ckpt_str_add(&s, "%sand %llu more range%s", s.s ? "; " : "",
			     (unsigned long long)more, more > 1 ? "s" : "");
	snprintf(buf, size, "%s", s.s ? s.s : "");
	return buf;
}
