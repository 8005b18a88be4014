/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RUNDIR/epoch_info.json: last_completed_epoch, best_epoch, best_score, timestamp as training
 * scripts write it, plus ours: step, checkpoint, job_id, attempt, reason, recorded_by. Unknown keys
 * are kept.
 */
#ifndef CKPT_CORE_RECORD_EPOCH_INFO_H
#define CKPT_CORE_RECORD_EPOCH_INFO_H

#include "core/format/verdict.h"

#define CKPT_EPOCH_INFO "epoch_info.json"
#define CKPT_RECORDED_BY "ckpt-resume" /* recorded_by of a file that we keep */

struct ckpt_epoch_info {
	bool has_last, has_best_epoch, has_best_score, has_step;
	int64_t last_completed_epoch, best_epoch, step;
	double best_score;
	char checkpoint[256]; /* name in the run directory, or empty */
	char recorded_by[64]; /* empty: the program's own file */
};

/* What to write; texts may be NULL or empty. */
struct ckpt_epoch_record {
	struct ckpt_position position;
	bool has_last; /* last_completed_epoch is known */
	int64_t last_completed_epoch;
	const char *checkpoint, *reason;
	int64_t job_id, attempt;
};

enum ckpt_epoch_info_result {
	CKPT_EPOCH_INFO_ABSENT = 1,
	CKPT_EPOCH_INFO_TORN,	 /* not whole JSON, or not an object, or too large: *err says which;
				    treated as absent */
	CKPT_EPOCH_INFO_FOREIGN, /* write: the program keeps this file itself; unchanged */
	CKPT_EPOCH_INFO_SAME,	 /* align: it already says so */
};

/* Reads it from @dirfd. 0, ABSENT, TORN or an errno. */
int ckpt_epoch_info_load(struct ckpt_ctx *ctx, int dirfd, struct ckpt_epoch_info *ret,
			 struct ckpt_error *err);

/*
 * Writes our record. A file without our recorded_by is left alone (FOREIGN); a torn one is kept
 * aside as epoch_info.json.torn (not overwriting an older one) and written anew. 0, FOREIGN or an
 * errno.
 */
int ckpt_epoch_info_write(struct ckpt_ctx *ctx, int dirfd, const struct ckpt_epoch_record *record,
			  struct ckpt_error *err);

/*
 * Law 9: makes last_completed_epoch (and step, checkpoint where present or known; best_epoch and
 * its score only if it lies ahead of it: then they are removed) agree with a decision that fell
 * back, in a file of anybody. The former content goes to .ckpt-resume/epoch_info.json.ATTEMPT (made
 * beforehand by the caller: @backup_dirfd). 0, ABSENT, SAME or an errno.
 */
int ckpt_epoch_info_align(struct ckpt_ctx *ctx, int dirfd, int backup_dirfd,
			  const struct ckpt_epoch_record *record, struct ckpt_error *err);

#endif
