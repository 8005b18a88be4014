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
