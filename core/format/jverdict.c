/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See jverdict.h.
 */
#include "core/format/jverdict.h"

#include <limits.h>
#include <string.h>

#include "wire/text.h"

int ckpt_jverdict(struct ckpt_check *check, const struct ckpt_jstream *js, int r)
{
	uint64_t at = ckpt_jstream_offset(js);

	if (r <= 0)
		return r;
	switch ((enum ckpt_jstream_result)r) {
	case CKPT_JSTREAM_TORN:
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_TRUNCATED, at, NULL,
					 "its JSON ends before its closing bracket");
	case CKPT_JSTREAM_DEEP:
		return ckpt_check_reject(check, CKPT_UNREADABLE, CKPT_PROBLEM_NESTING_LIMIT, at,
					 NULL, "its JSON is nested too deep to be read");
	case CKPT_JSTREAM_SYNTAX:
		break;
	}
	if (ckpt_jstream_at_nul(js))
		return ckpt_check_reject(check, CKPT_INCOMPLETE, CKPT_PROBLEM_ZERO_TAIL, at, NULL,
					 "its JSON gives way to zeros: it was never written");
	return ckpt_check_reject(check, CKPT_CORRUPT, CKPT_PROBLEM_HEADER, at, NULL,
				 "it is not JSON from here on");
}

/* An entry of a directory; no way up. */
static bool is_entry(const char *name, size_t n)
{
	return n > 0 && n <= NAME_MAX && !(n <= 2 && strncmp(name, "..", n) == 0);
}

int ckpt_jverdict_path_depth(const struct ckpt_jtoken *token)
{
	const char *at = token->text;
	int folders = 0;

	if (token->type != CKPT_J_STRING || token->cut || strlen(at) != token->len ||
	    ckpt_text_has_control(at))
		return -1;
	for (;; folders++) {
		size_t n = strcspn(at, "/");

		if (!is_entry(at, n))
			return -1;
		if (!at[n])
			return folders;
		at += n + 1;
	}
}
