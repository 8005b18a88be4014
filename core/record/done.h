/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * done.json, the end marker of a run: its user says that there is nothing left to do. It names the
 * run by its id, since job numbers come again.
 */
#ifndef CKPT_CORE_RECORD_DONE_H
#define CKPT_CORE_RECORD_DONE_H

#include <stdint.h>

#include "core/base/ctx.h"
#include "core/record/state.h"

#define CKPT_DONE "done.json"

struct ckpt_done {
	char run[40]; /* id of the run that is done */
	int64_t job_id, attempt;
};

/* Reads done.json. 0, CKPT_STATE_ABSENT, CKPT_STATE_TORN or an errno. */
int ckpt_done_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_done *ret,
		   struct ckpt_error *err);

/* Writes done.json. 0 or an errno. */
int ckpt_done_store(int statefd, const struct ckpt_done *done, struct ckpt_error *err);

/* Takes the marker away. 0, CKPT_STATE_ABSENT or an errno. */
int ckpt_done_remove(int statefd, struct ckpt_error *err);

#endif
