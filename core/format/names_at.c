/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See names_at.h.
 */
#include "core/format/names_at.h"

#include <stdio.h>
#include <string.h>

#include "wire/text.h"

bool ckpt_extent_meets(const struct ckpt_extent *extent, uint64_t begin, uint64_t end)
{
	uint64_t last;

	if (__builtin_add_overflow(extent->off, extent->len, &last))
		last = UINT64_MAX;
	return begin < end && end > extent->off && begin < last;
}

void ckpt_names_offer(struct ckpt_names *names, const struct ckpt_extent *extent, uint64_t begin,
		      uint64_t end, const char *name)
{
	size_t at = strlen(names->text), len = strlen(name);

	if (!*name || !ckpt_extent_meets(extent, begin, end))
		return;
	names->n++;
	if (names->kept + 1 < names->n || at + len + 3 > sizeof(names->text))
		return;
	names->kept++;
	snprintf(names->text + at, sizeof(names->text) - at, "%s%s", at ? ", " : "", name);
}

void ckpt_names_words(const struct ckpt_names *names, char *buf, size_t size)
{
	if (names->kept == names->n)
		snprintf(buf, size, "%s", names->text);
	else if (names->kept == 0)
		snprintf(buf, size, "%llu of its parts", (unsigned long long)names->n);
	else
		snprintf(buf, size, "%s and %llu more", names->text,
			 (unsigned long long)(names->n - names->kept));
	ckpt_text_clean(buf);
}

int ckpt_names_find(struct ckpt_check *check, const struct ckpt_extent *extent,
		    struct ckpt_names *names)
{
	const struct ckpt_format *row;
	int r = check->kind == CKPT_KIND_FILE ? ckpt_check_probe(check) : 0;

	if (r)
		return r;
	row = ckpt_format_find(check);
	return row && row->at ? row->at(check, extent, names) : 0;
}
