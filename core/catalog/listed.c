/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See listed.h.
 */
#include "core/catalog/listed.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "core/base/file.h"
#include "core/catalog/pattern.h"

/* A program's own names, as pattern.h has them, in the case in which it writes them. */
struct row {
	const char *pattern;
	enum ckpt_kind kind;
	bool renamed, seal;    /* what it takes for one more */
	const char *spared_by; /* an entry that another program's of that name has, which reads
				  whole names alone; NULL = none */
	const char *beside;    /* what lies beside its checkpoints; NULL: the name is its alone */
	const char *newest;    /* what starts from the highest number, whole or not, also of what is
				  spared; NULL: it looks into them, or not known */
};

static const struct row rows[] = {
	/* Lightning, checkpoint_connector.py: the highest of all digits behind "hpc_ckpt_" in any
	 * name that holds it, and opens hpc_ckpt_N.ckpt. The seal's digits are its checkpoint's. */
	{ "hpc_ckpt_*", CKPT_KIND_FILE, true, false, NULL, NULL, "Lightning in a requeued job" },
	/* flax, training/checkpoints.py, latest_checkpoint(): the last of checkpoint_* in natural
	 * order, in which the longer one comes later */
	{ "checkpoint_{n}", CKPT_KIND_FILE, true, true, NULL, NULL,
	  "flax's restore_checkpoint() of the directory" },
	/* Coqui, trainer/io.py, sort_checkpoints(): all of checkpoint_* with a number there count
	 * against save_n_checkpoints, and the first are removed: a seal takes a checkpoint's place.
	 * Trainer.__init__() begins with config.json; others write the same name, and no more. */
	{ "checkpoint_{n}.pth", CKPT_KIND_FILE, true, true, NULL, "config.json",
	  "Coqui's --continue_path" },
	/* accelerate, accelerator.py: load_state() and total_limit take all that is in
	 * checkpoints/, by the first number of each name */
	{ "checkpoint_{n}", CKPT_KIND_DIRECTORY, false, true, NULL, NULL,
	  "accelerate's load_state() without a path" },
	/* diffusers, examples/: int(d.split("-")[1]) of each name that begins with "checkpoint".
	 * transformers' Trainer wants directories of just that name (get_last_checkpoint() in
	 * trainer_utils.py), and looks into none. */
	{ "checkpoint-{n}", CKPT_KIND_DIRECTORY, false, true, "trainer_state.json", NULL,
	  "transformers' resume_from_checkpoint=True" },
	/* torchtitan, components/checkpoint.py: "step-N" anywhere in a name counts against
	 * keep_latest_k, and the rest is removed */
	{ "step-{n}", CKPT_KIND_DIRECTORY, false, true, NULL, NULL, NULL },
	{ NULL, CKPT_KIND_FILE, false, false, NULL, NULL, NULL },
};

/* Whether @name is in @folder of @set's directory. */
static bool has(const struct ckpt_set *set, const char *folder, const char *name)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s/%s", set->dir, folder, name);

	return len < (int)sizeof(path) && ckpt_dir_has(AT_FDCWD, path);
}

static const struct row *row_of(const struct ckpt_set *set)
{
	struct ckpt_pattern_match m;

	for (const struct row *row = rows; row->pattern; row++)
		if (set->kind == row->kind && ckpt_pattern_match(row->pattern, set->name, &m))
			return row->beside && !has(set, ".", row->beside) ? NULL : row;
	return NULL;
}

static bool is_spared(const struct row *row, const struct ckpt_set *set)
{
	return row->spared_by && has(set, set->name, row->spared_by);
}

bool ckpt_set_renamed_is_listed(const struct ckpt_set *set)
{
	const struct row *row = row_of(set);

	return row && row->renamed && !is_spared(row, set);
}

bool ckpt_set_seal_is_listed(const struct ckpt_set *set)
{
	const struct row *row = row_of(set);

	return row && row->seal && !is_spared(row, set);
}

const char *ckpt_set_newest_taker(const struct ckpt_set *set)
{
	const struct row *row = row_of(set);

	return row ? row->newest : NULL;
}
