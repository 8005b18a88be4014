/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.json, the mark that attempt 0 leaves in a run directory: the run's id, who began it, what it
 * started from and which checkpoints were there before.
 */
#ifndef CKPT_CORE_RECORD_MARK_H
#define CKPT_CORE_RECORD_MARK_H

#include "core/format/verdict.h"
#include "core/record/state.h"
#include "wire/request.h"

#define CKPT_MARK "run.json"
#define CKPT_MARK_MAX (32 * 1024 * 1024) /* bytes of run.json: 100,000 candidates of a long run */

/* A candidate that was there before this run began. */
struct ckpt_foreign {
	uint64_t ino, size;
	int64_t mtime_ns;
	char *name;
};

/* run.json. */
struct ckpt_mark {
	char run[40];	/* run id: 32 hex digits */
	int64_t job_id; /* job that began it */
	char cluster[64];
	int64_t array_task; /* CKPT_REQUEST_NO_TASK */
	char continues[40]; /* run id that was there before, or empty */
	int64_t continues_job;
	char base[256];	    /* name of the checkpoint that attempt 0 resumed from; empty = fresh */
	char base_step[24]; /* its position; empty where unknown */
	char base_epoch[24];
	char base_mode[16];	      /* mode of attempt 0's decision */
	struct ckpt_foreign *foreign; /* sorted by identity */
	size_t n_foreign;
};

/* 32 random hex digits into @buf (33 bytes at least). 0 or an errno. */
int ckpt_run_id(char *buf);

/*
 * Reads run.json into @ret, whose former content is not looked at. 0, ABSENT, TORN (no whole mark
 * of this version) or an errno. The caller calls ckpt_mark_done(); after anything but 0 there is
 * nothing to free.
 */
int ckpt_mark_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_mark *ret,
		   struct ckpt_error *err);

/* Whether the directory @dir is, by its mark, that of a task of an array other than @req's job. */
bool ckpt_mark_is_task(struct ckpt_ctx *ctx, const char *dir, const struct ckpt_request *req);

/* Writes run.json. 0; -EFBIG when it would be larger than CKPT_MARK_MAX; or an errno. */
int ckpt_mark_store(int statefd, const struct ckpt_mark *mark, struct ckpt_error *err);

/* Adds a foreign candidate (name is copied; sorted by ckpt_mark_store's caller through
 * ckpt_mark_sort). 0 or -ENOMEM. */
int ckpt_mark_add(struct ckpt_mark *mark, const char *name, const struct ckpt_identity *id);

/* Sorts the foreign candidates by identity, as ckpt_mark_is_foreign() needs. */
void ckpt_mark_sort(struct ckpt_mark *mark);

/*
 * True if a candidate with the same inode, size and mtime was there before the run began (ctime
 * changes by rename). Its name does not count: programs keep what was there under another one
 * (`_prev`, `.bak`), and a renamed file is no work of this run.
 */
bool ckpt_mark_is_foreign(const struct ckpt_mark *mark, const struct ckpt_identity *id);

/* Notes @name at @position as the checkpoint that attempt 0 resumed from. */
void ckpt_mark_set_base(struct ckpt_mark *mark, const char *name,
			const struct ckpt_position *position);

/* The position noted by ckpt_mark_set_base(). */
struct ckpt_position ckpt_mark_base(const struct ckpt_mark *mark);

/* Frees what @mark owns. */
void ckpt_mark_done(struct ckpt_mark *mark);
#define _cleanup_mark_ _cleanup_(ckpt_mark_done)

#endif
