/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the directories of training frameworks have in common: members with known names, each
 * checked by its own format, and a JSON file with the position. Of what no row knows, weights in
 * folders of their own are checked too, where who resumes reads them (transformers' trainer.py,
 * _load_from_checkpoint(); sentence-transformers by modules.json; nobody reads an export); where
 * there are no others, files that may be weights.
 * The rest is ignored.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_TRAIN_DIR_H
#define CKPT_CORE_FORMAT_TRAIN_TRAIN_DIR_H

#include "core/format/format.h"

#define CKPT_TRAIN_MEMBERS 16384 /* known names in one directory: one a process and kind */

enum ckpt_part {
	CKPT_PART_WEIGHTS = 1,
	CKPT_PART_OPTIMIZER = 2,
	CKPT_PART_SCHEDULER = 4,
	CKPT_PART_RNG = 8, /* numbered ones are counted */
	CKPT_PART_OTHER = 16,
	CKPT_PART_TAGGED = 32,	/* loaded by the name that the file `latest` beside it holds */
	CKPT_PART_UNNAMED = 64, /* may be weights: no row knows its name */
};

/* One known name; '#' in it stands for a decimal number. @is_dir: a directory, whose inside is
 * checked where it is of a known format. */
struct ckpt_train_row {
	const char *pattern;
	unsigned parts;
	bool is_dir;
};

/* What was there. */
struct ckpt_train_dir {
	unsigned parts;	    /* seen and found good */
	uint64_t n_rng;	    /* numbered random states */
	uint64_t first_gap; /* the lowest number that is missing among them; n_rng if none is */
};

/*
 * Checks every member of check->dirfd that one of @rows (ended by a NULL pattern) knows, in the
 * order of their names, at @level. As a check function; a member of no known format is CORRUPT.
 */
int ckpt_train_dir_check(struct ckpt_check *check, const struct ckpt_train_row *rows,
			 enum ckpt_level level, struct ckpt_train_dir *ret);

/*
 * Checks that DeepSpeed's pointer `latest` in check->dirfd names a directory there: its loader
 * takes that one, and begins anew without (deepspeed/runtime/engine.py, load_checkpoint()). As a
 * check function.
 */
int ckpt_train_dir_latest(struct ckpt_check *check);

/* Rejects as incomplete: @what is missing. Returns the status. */
int ckpt_train_dir_lacks(struct ckpt_check *check, const char *what);

/* Numbers of a JSON file with the position: absent ones are false. */
struct ckpt_train_state {
	bool has_step, has_epoch, has_loss;
	double step, epoch, loss;
	char loss_key[32];
};

/*
 * Reads the JSON file @name in check->dirfd: top-level numbers @step_key and @epoch_key, and the
 * loss of the last entry of log_history that has one. As a check function; missing is
 * CKPT_INCOMPLETE (member-missing).
 */
int ckpt_train_state_read(struct ckpt_check *check, const char *name, const char *step_key,
			  const char *epoch_key, struct ckpt_train_state *ret);

/* The last component of check->name. */
const char *ckpt_train_dir_name(const struct ckpt_check *check);

/* True if @name is @prefix and a decimal number up to its end; then *@ret is the number. */
bool ckpt_train_dir_numbered(const char *name, const char *prefix, int64_t *ret);

#endif
