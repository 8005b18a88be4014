/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See step.h.
 */
#include "cli/step.h"

#include <stdlib.h>

#include "wire/text.h"

#define ID_MAX 0xfffffff0LL
#define TASKS_MAX (1 << 24)

static bool number_of(const char *name, int64_t min, int64_t max, int64_t *ret)
{
	const char *text = getenv(name);

	return text && ckpt_text_int(text, min, max, ret);
}

bool ckpt_cli_step_read(struct ckpt_cli_step *ret)
{
	return number_of("SLURM_STEP_ID", 0, ID_MAX, &ret->id) &&
	       number_of("SLURM_STEP_NUM_TASKS", 1, TASKS_MAX, &ret->tasks) &&
	       number_of("SLURM_PROCID", 0, ret->tasks - 1, &ret->rank);
}
