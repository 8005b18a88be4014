/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ctx.h.
 */
#include "core/base/ctx.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <time.h>

#include "core/base/clock.h"

#define MAX_THREADS 64 /* beyond this a file system, not the CPU, sets the speed */

int64_t ckpt_ctx_now(const struct ckpt_ctx *ctx)
{
	struct timespec ts;

	if (ctx && ctx->seam && ctx->seam->now_ns)
		return ctx->seam->now_ns(ctx->seam->arg);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ckpt_clock_ns(ts);
}

int ckpt_ctx_expired(const struct ckpt_ctx *ctx)
{
	if (!ctx)
		return 0;
	if (ctx->deadline_ns && ckpt_ctx_now(ctx) >= ctx->deadline_ns)
		return -ETIMEDOUT;
	if (ctx->max_bytes && ctx->bytes_read >= ctx->max_bytes)
		return -EDQUOT;
	return 0;
}

int ckpt_ctx_threads(const struct ckpt_ctx *ctx)
{
	int n = ctx ? ctx->threads : 0;
	cpu_set_t set;

	if (n <= 0)
		n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	if (n < 1)
		n = 1;
	return n > MAX_THREADS ? MAX_THREADS : n;
}
