/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See listed.h.
 */
#include "core/catalog/listed.h"

#include "core/catalog/pattern.h"

/* A program's own names, as pattern.h has them, in the case in which it writes them. */
struct row {
	const char *pattern;
	enum ckpt_kind kind;
};

static const struct row rows[] = {
	/* Lightning, checkpoint_connector.py: the highest of all digits behind "hpc_ckpt_" in any
	 * name that holds it; opens hpc_ckpt_N.ckpt then */
	{ "hpc_ckpt_*", CKPT_KIND_FILE },
	/* flax, training/checkpoints.py, latest_checkpoint(): the last of checkpoint_* in natural
	 * order, in which what is longer comes later */
	{ "checkpoint_{n}", CKPT_KIND_FILE },
	{ NULL, CKPT_KIND_FILE },
};

bool ckpt_set_renamed_is_listed(const struct ckpt_set *set)
{
	struct ckpt_pattern_match m;

	for (const struct row *row = rows; row->pattern; row++)
		if (set->kind == row->kind && ckpt_pattern_match(row->pattern, set->name, &m))
			return true;
	return false;
}
