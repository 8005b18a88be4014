/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See below.h.
 */
#include "core/resolve/below.h"

#include "core/catalog/order.h"
#include "core/integrity/verify.h"

/* Whether @set, which no window has shown, holds more than the highest names do. */
static bool is_ahead(struct ckpt_ctx *ctx, struct ckpt_set *set, const struct ckpt_below *below)
{
	const struct ckpt_report *report = ckpt_set_verify(ctx, set, CKPT_LEVEL_STRUCTURE);
	int order;

	return report->verdict.status == CKPT_VALID &&
	       ckpt_order_progress(&report->position, &below->highest->position, &order) == 0 &&
	       order > 0;
}

/* True if epochs may have begun again with an attempt, the steps not: names that go by epoch first
 * have a higher step below, and that is ahead or the younger one. */
static bool epochs_restart(struct ckpt_ctx *ctx, const struct ckpt_below *below)
{
	struct ckpt_set *top = below->first;

	if (!top->named.step_vague)
		return false;
	for (struct ckpt_set *set = top + 1; set < below->first + below->n; set++)
		if (set->named.step > top->named.step)
			top = set;
	return top >= below->first + below->looked &&
	       (is_ahead(ctx, top, below) ||
		top->report->identity.mtime_ns > below->highest->identity.mtime_ns);
}

bool ckpt_below_is_ahead(struct ckpt_ctx *ctx, const struct ckpt_below *below)
{
	return is_ahead(ctx, &below->first[below->n - 1], below) || epochs_restart(ctx, below);
}
