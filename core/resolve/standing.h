/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether an attempt is to start at all, before anything is chosen: not where the run has finished,
 * nor where starting it again has led nowhere too often.
 */
#ifndef CKPT_CORE_RESOLVE_STANDING_H
#define CKPT_CORE_RESOLVE_STANDING_H

#include "core/resolve/choose.h"

/* Whether this attempt exists because somebody requeued the job after the last one had come to its
 * end. */
bool ckpt_standing_is_deliberate(const struct ckpt_resolving *r);

/* Mode done for a run that has finished, or that its user has declared done, and that Slurm starts
 * again of its own: CKPT_STEP_DONE. 0 to go on, also where somebody has requeued the finished job,
 * of which a warning tells. */
int ckpt_step_finished(struct ckpt_resolving *r);

/* Refuses (CKPT_REFUSE_BUDGET) an attempt beyond --ckpt-max-restarts, or behind too many that
 * failed in a row. The refusal itself begins a new budget: released, the job starts. 0 or
 * CKPT_STEP_DONE. */
int ckpt_step_budget(struct ckpt_resolving *r);

#endif
