/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .ckpt-resume/ of a run: the mark (run.json) of attempt 0, the ledger, the lock. One struct stands for the
 * state of one directory; a run with several directories has several, read as a union.
 */
#ifndef CKPT_CORE_RECORD_STATE_H
#define CKPT_CORE_RECORD_STATE_H

#include <cjson/cJSON.h>

#include "core/format/verdict.h"

#define CKPT_STATE_DIR ".ckpt-resume"
#define CKPT_MARK_MAX (32 * 1024 * 1024) /* bytes of run.json: 100,000 candidates of a long run */
#define CKPT_LEDGER_LINE 8192		 /* bytes of one ledger line */

/* A candidate that was there before this run began. */
struct ckpt_foreign {
	uint64_t ino, size;
	int64_t mtime_ns;
	char *name;
};

/* run.json. */
struct ckpt_mark {
	char run[40];		/* run id: 32 hex digits */
	int64_t job_id;		/* job that began it */
	char cluster[64];
	int64_t array_task;	/* CKPT_REQUEST_NO_TASK */
	char continues[40];	/* run id that was there before, or empty */
	int64_t continues_job;
	char base[256];		/* name of the checkpoint that attempt 0 resumed from; empty = fresh */
	char base_mode[16];	/* mode of attempt 0's decision */
	struct ckpt_foreign *foreign; /* sorted by name */
	size_t n_foreign;
};

enum ckpt_state_result {
	CKPT_STATE_ABSENT = 1,
	CKPT_STATE_TORN, /* unreadable as what it should be: *err says how; law 6 applies */
};

/* Opens @dirfd/.ckpt-resume. Descriptor; -ENOENT; or an errno. Never creates. */
int ckpt_state_open(int dirfd, struct ckpt_error *err);

/* Makes and opens it, mode 0700. Descriptor or an errno (-EROFS, -EACCES, -ENOSPC ...). */
int ckpt_state_make(int dirfd, struct ckpt_error *err);

/* 32 random hex digits into @buf (33 bytes at least). 0 or an errno. */
int ckpt_run_id(char *buf);

/* Reads run.json. 0, ABSENT, TORN or an errno. The caller calls ckpt_mark_done(). */
int ckpt_mark_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_mark *ret,
		   struct ckpt_error *err);

/* Writes run.json. 0 or an errno. */
int ckpt_mark_store(int statefd, const struct ckpt_mark *mark, struct ckpt_error *err);

/* Adds a foreign candidate (name is copied; sorted by ckpt_mark_store's caller through ckpt_mark_sort). 0 or -ENOMEM. */
int ckpt_mark_add(struct ckpt_mark *mark, const char *name, const struct ckpt_identity *id);

/* Sorts the foreign candidates by name, as ckpt_mark_is_foreign() needs. */
void ckpt_mark_sort(struct ckpt_mark *mark);

/* True if @name was there before the run began with the same inode, size and mtime (ctime changes by rename). */
bool ckpt_mark_is_foreign(const struct ckpt_mark *mark, const char *name,
			  const struct ckpt_identity *id);

/* Frees what @mark owns. */
void ckpt_mark_done(struct ckpt_mark *mark);
#define _cleanup_mark_ _cleanup_(ckpt_mark_done)

/*
 * Appends one object (adds "at", an ISO time in UTC, and "n", the line's number as far as known; neither
 * orders anything across nodes) to ledger.jsonl by a single O_APPEND write of at most CKPT_LEDGER_LINE bytes; a
 * line longer than that loses its "trail". A ledger whose last line is torn gets a newline first. 0 or an errno.
 */
int ckpt_ledger_append(int statefd, cJSON *entry, struct ckpt_error *err);

/* Called for each whole line, oldest first; non-zero stops. Torn lines are counted, not delivered. */
typedef int ckpt_ledger_fn(void *arg, const cJSON *entry);

/* Reads ledger.jsonl, streaming. 0 (*ret_torn may be NULL), ABSENT, what @fn returned, or an errno. */
int ckpt_ledger_read(int statefd, ckpt_ledger_fn *fn, void *arg, size_t *ret_torn,
		     struct ckpt_error *err);

/*
 * Takes the run directory's lock (`lock`, fcntl OFD write lock) for up to @wait_ms. Returns a descriptor whose
 * closing releases it; -EAGAIN when another holds it; or an errno. A lock dies with its holder.
 */
int ckpt_state_lock(int statefd, int wait_ms, struct ckpt_error *err);

#endif
