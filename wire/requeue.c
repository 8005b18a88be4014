/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See requeue.h.
 */
#include "wire/requeue.h"

#include <string.h>

#include "wire/text.h"

#define WORD_MAX 24

static const struct {
	const char *word;
	enum ckpt_requeue_cause cause;
} words[] = {
	{ "preempt", CKPT_REQUEUE_PREEMPT },
	{ "time-limit", CKPT_REQUEUE_TIME_LIMIT },
	{ "node-fail", CKPT_REQUEUE_NODE_FAIL },
	{ "stall", CKPT_REQUEUE_STALL },
};

static bool take_cause(const char *word, struct ckpt_requeue *requeue)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		requeue->causes |= words[i].cause;
		return true;
	}
	return false;
}

static bool take_code(const char *word, struct ckpt_requeue *requeue)
{
	int64_t code;

	if (!ckpt_text_int(word, 1, 255, &code))
		return false;
	requeue->codes[code / 64] |= UINT64_C(1) << (code % 64);
	return true;
}

/* One word of the list; @codes: the words before it were exit codes, so a number is one more. */
static const char *take_word(const char *word, bool *codes, struct ckpt_requeue *requeue)
{
	const char *code;

	if (ckpt_text_starts(word, "exit:", &code)) {
		*codes = true;
		return take_code(code, requeue) ? NULL : "has an exit code that is not 1 to 255";
	}
	if (*codes && take_code(word, requeue))
		return NULL;
	*codes = false;
	return take_cause(word, requeue) ? NULL : "names an unknown cause";
}

const char *ckpt_requeue_parse(const char *list, struct ckpt_requeue *ret)
{
	struct ckpt_requeue requeue = { 0 };
	const char *problem = NULL, *p = *list ? list : CKPT_REQUEUE_DEFAULT;
	bool codes = false, more = strcmp(list, "none") != 0;
	char word[WORD_MAX];

	while (more && !problem) {
		size_t len = strcspn(p, ",");

		if (len == 0 || len >= sizeof(word))
			return "has an empty or overlong word";
		memcpy(word, p, len);
		word[len] = '\0';
		problem = take_word(word, &codes, &requeue);
		more = p[len] == ',';
		p += len + 1;
	}
	if (!problem && ret)
		*ret = requeue;
	return problem;
}

bool ckpt_requeue_has_code(const struct ckpt_requeue *requeue, int64_t code)
{
	return code > 0 && code < 256 && (requeue->codes[code / 64] >> (code % 64) & 1);
}

static bool is_ours_to_name(const char *cause)
{
	static const char *const vague[] = { "",	 "unknown",   "finished",
					     "requeued", "exit-code", "signal" };

	for (size_t i = 0; i < sizeof(vague) / sizeof(vague[0]); i++)
		if (strcmp(cause, vague[i]) == 0)
			return true;
	return false;
}

const char *ckpt_requeue_cause(const char *why, const char *cause)
{
	if (!is_ours_to_name(cause))
		return cause;
	if (strcmp(why, "stall") == 0)
		return "stalled";
	return strcmp(why, "time-limit") == 0 ? "time-limit" : cause;
}
