/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See keep.h.
 */
#include "wire/keep.h"

#include <string.h>

#include "wire/text.h"

#define MOST INT32_MAX

const char *ckpt_keep_parse(const char *text, struct ckpt_keep *ret)
{
	struct ckpt_keep keep = { .best = 1 };
	const char *comma = strchr(text, ','), *best = NULL;
	char newest[16];
	size_t len = comma ? (size_t)(comma - text) : strlen(text);

	if (!*text) {
		if (ret)
			*ret = keep;
		return NULL;
	}
	if (len >= sizeof(newest))
		return "is no number that is allowed";
	memcpy(newest, text, len);
	newest[len] = '\0';
	if (!ckpt_text_int(newest, 0, MOST, &keep.newest))
		return "does not begin with a number";
	if (keep.newest < CKPT_KEEP_LEAST)
		return "leaves nothing to fall back on when the newest one is damaged";
	if (comma && (!ckpt_text_starts(comma + 1, "best=", &best) ||
		      !ckpt_text_int(best, 1, MOST, &keep.best)))
		return "has something else than best=K behind its number";
	if (ret)
		*ret = keep;
	return NULL;
}
