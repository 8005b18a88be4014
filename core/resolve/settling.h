/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between settle.c and align.c: one settling under way.
 */
#ifndef CKPT_CORE_RESOLVE_SETTLING_H
#define CKPT_CORE_RESOLVE_SETTLING_H

#include <cjson/cJSON.h>

#include "core/resolve/resolve.h"

struct ckpt_settling {
	struct ckpt_ctx *ctx;
	const struct ckpt_request *req;
	struct ckpt_resolution *res;
};

/* Appends @event to the ledger of every run directory; takes it. A failure becomes a warning. */
void ckpt_settling_append(struct ckpt_settling *s, cJSON *event);

/* Law 9: epoch_info.json and the pointers of the chosen checkpoint's directory follow the decision,
 * where it is to resume and the user lets them. */
void ckpt_align(struct ckpt_settling *s);

/*
 * The same for a pointer that was a copy (Lightning's last.ckpt) and has been taken out of the way:
 * without it the program would begin anew. Becomes a copy again, never a link of either kind: the
 * program may write through it.
 */
void ckpt_align_copies(struct ckpt_settling *s);

#endif
