/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See pace.h.
 */
#include "core/watch/pace.h"

void ckpt_pace_spend(struct ckpt_pace *pace, int64_t spent_ns, int64_t now_ns)
{
	int64_t rest;

	if (__builtin_mul_overflow(spent_ns, pace->per, &rest) || rest > pace->longest_ns)
		rest = pace->longest_ns;
	/* rests add up: two small ones are not over with the first */
	pace->ready_ns = (pace->ready_ns > now_ns ? pace->ready_ns : now_ns) + rest;
	if (pace->ready_ns > now_ns + pace->longest_ns)
		pace->ready_ns = now_ns + pace->longest_ns;
}

bool ckpt_retry_is_due(const struct ckpt_retry *retry, int64_t now_ns)
{
	return retry->next_ns != INT64_MAX && now_ns >= retry->next_ns;
}

void ckpt_retry_failed(struct ckpt_retry *retry, int64_t now_ns)
{
	int64_t pause = CKPT_RETRY_LEAST_NS;

	for (int i = 0; i < retry->failures && pause < CKPT_RETRY_LONGEST_NS; i++)
		pause *= 2;
	retry->failures += retry->failures < INT16_MAX;
	retry->next_ns = now_ns + (pause < CKPT_RETRY_LONGEST_NS ? pause : CKPT_RETRY_LONGEST_NS);
}

void ckpt_retry_never(struct ckpt_retry *retry)
{
	retry->next_ns = INT64_MAX;
}
