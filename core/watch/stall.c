/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See stall.h.
 */
#include "core/watch/stall.h"

#define PAUSE_TICKS 4 /* a call that comes that late: we were stopped, or the node was */

int64_t ckpt_stall_limit(const struct ckpt_stall *stall)
{
	int64_t limit;

	if (stall->limit_ns != CKPT_STALL_AUTO)
		return stall->limit_ns;
	if (stall->last.cadence_ns <= 0)
		return 0;
	if (__builtin_mul_overflow(stall->last.cadence_ns, CKPT_STALL_AUTO_TIMES, &limit))
		return INT64_MAX;
	return limit > CKPT_STALL_AUTO_LEAST_NS ? limit : CKPT_STALL_AUTO_LEAST_NS;
}

/* Processor time since the last sign, against the time that passed: a burst of a moment is none. */
static bool has_worked(struct ckpt_stall *stall, const struct ckpt_signs *signs, int64_t now)
{
	int64_t worked = signs->cpu_ns - stall->last.cpu_ns;
	int64_t passed = now - stall->taken_ns;

	if (signs->cpu_ns < 0 || stall->last.cpu_ns < 0)
		return signs->cpu_ns < 0; /* not known: never held against the job */
	if (worked < 0)			  /* processes ended and took theirs along */
		return true;
	return worked * 100 >= passed * CKPT_STALL_IDLE_PERCENT;
}

static bool has_sign(struct ckpt_stall *stall, const struct ckpt_signs *signs, int64_t now)
{
	bool beat = signs->beat && signs->beat != stall->last.beat;
	bool sign = signs->checkpoints != stall->last.checkpoints || beat || signs->paused;

	stall->beats |= beat;
	if (stall->beats)
		return sign;
	return sign || signs->output != stall->last.output || has_worked(stall, signs, now);
}

enum ckpt_stall_state ckpt_stall_take(struct ckpt_stall *stall, const struct ckpt_signs *signs,
				      int64_t now_ns, int64_t tick_ns)
{
	int64_t passed = now_ns - stall->taken_ns, limit;
	bool said = stall->was_blind, sign;

	if (stall->taken_ns && (signs->blind || said || passed > PAUSE_TICKS * tick_ns))
		stall->sign_ns += passed; /* as if it had not been */
	stall->was_blind = signs->blind;
	if (signs->blind) {
		stall->taken_ns = now_ns;
		return said ? CKPT_STALL_GOING : CKPT_STALL_BLIND;
	}
	sign = !stall->taken_ns || has_sign(stall, signs, now_ns);
	stall->last = *signs;
	stall->taken_ns = now_ns;
	if (sign)
		stall->sign_ns = now_ns;
	limit = ckpt_stall_limit(stall);
	return limit && now_ns - stall->sign_ns >= limit ? CKPT_STALL_STALLED : CKPT_STALL_GOING;
}
