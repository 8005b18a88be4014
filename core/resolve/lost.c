/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See lost.h.
 */
#include "core/resolve/lost.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/resolve/trail.h"

static bool lies_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_unmarked(const struct ckpt_resolution *res, int root)
{
	if (res->state.marked[root])
		return false;
	return access(res->roots.dir[root], W_OK) == 0 || errno == ENOENT;
}

const char *ckpt_lost_directory(const struct ckpt_resolution *res)
{
	const struct ckpt_run_state *state = &res->state;

	for (int i = 0; i < res->roots.n; i++) {
		if (state->recorded[0]) {
			if (lies_below(state->recorded_dir, res->roots.dir[i]))
				return state->marked[i] ? NULL : res->roots.dir[i];
		} else if (!state->ended && is_unmarked(res, i)) {
			return res->roots.dir[i];
		}
	}
	return NULL;
}

static bool is_gone(const struct ckpt_resolution *res)
{
	const struct ckpt_run_state *state = &res->state;
	const struct ckpt_catalog *cat = &res->catalog;

	if (!state->recorded[0] || !state->ended)
		return false;
	for (size_t i = 0; i < cat->n_sets; i++)
		if (strcmp(cat->sets[i].name, state->recorded) == 0 &&
		    strcmp(cat->sets[i].dir, state->recorded_dir) == 0)
			return false;
	return true;
}

void ckpt_lost_say(struct ckpt_resolution *res)
{
	const struct ckpt_run_state *state = &res->state;

	if (res->first)
		return;
	for (int i = 0; i < res->roots.n; i++)
		if (is_unmarked(res, i))
			ckpt_resolution_warn(res,
					     "%s holds no mark of this run: if its file system is "
					     "not mounted here, what lies there did not count",
					     res->roots.dir[i]);
	if (is_gone(res))
		ckpt_resolution_warn(res,
				     "the last attempt left the valid checkpoint %s, which is gone",
				     state->recorded);
	if (state->have_mark && !state->ours)
		ckpt_resolution_warn(res,
				     "job %lld began in this run directory after this one: its "
				     "checkpoints cannot be told from ours",
				     (long long)state->mark.job_id);
}
