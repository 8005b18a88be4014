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

bool ckpt_jverdict_entry_name(const struct ckpt_jtoken *token)
{
	const char *s = token->text;

	if (token->type != CKPT_J_STRING || token->cut || !token->len || token->len > NAME_MAX)
		return false;
	if (strlen(s) != token->len || strchr(s, '/') || ckpt_text_has_control(s))
		return false;
	return strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}
