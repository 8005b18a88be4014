/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See limit.h.
 */
#include "core/watch/limit.h"

enum ckpt_limit_room ckpt_limit_room(int64_t limit_ns, int64_t before_ns)
{
	if (limit_ns <= 0)
		return CKPT_LIMIT_ENOUGH;
	if (before_ns >= limit_ns)
		return CKPT_LIMIT_NONE;
	return before_ns > limit_ns / 2 ? CKPT_LIMIT_LITTLE : CKPT_LIMIT_ENOUGH;
}
