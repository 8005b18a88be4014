/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run left behind for its next attempt: marks and ledgers of all its directories, read as a
 * union.
 */
#ifndef CKPT_CORE_RESOLVE_RUN_STATE_H
#define CKPT_CORE_RESOLVE_RUN_STATE_H

#include "core/record/mark.h"
#include "core/resolve/past.h"
#include "wire/request.h"
#include "wire/text.h"

/* Where a run keeps its state: its run directories, or the one of --ckpt-state. */
struct ckpt_roots {
	const char *dir[CKPT_REQUEST_DIRS];
	int n;
};

struct ckpt_run_state {
	bool have_mark; /* a whole run.json was found */
	bool ours;	/* it is this job's */
	struct ckpt_mark mark;
	bool marked[CKPT_REQUEST_DIRS]; /* which roots hold a mark */
	bool have_ledger;
	bool seen; /* the ledger knows this job: an earlier attempt came as far as this */
	int error; /* < 0: a state that exists could not be read; CKPT_STATE_TORN: torn */
	char error_text[CKPT_ERROR_TEXT];

	bool ended;	    /* the end of the attempt before this one is recorded */
	char cause[32];	    /* why the attempt before this one ended; empty = not recorded */
	char recorded[256]; /* newest checkpoint of this run that was found valid; or empty */
	char recorded_dir[CKPT_PATH_MAX];
	bool done;	       /* the run is declared done (done.h) */
	int64_t done_in;       /* the newest attempt that declared it; -1 none */
	struct ckpt_past past; /* the attempts before this one */
	int64_t live_job;      /* another job that began here and was not seen to end; 0 = none */
};

/*
 * Reads marks and ledgers of @roots for the attempt of @req. Never fails: what could not be read is
 * in `error`. A missing directory is no error. The caller calls ckpt_run_state_done().
 */
void ckpt_run_state_load(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			 const struct ckpt_roots *roots, struct ckpt_run_state *ret);

/* True if @path, or an ancestor of it, is a link that leads nowhere: to what is not mounted now, as
 * far as anybody can tell. */
bool ckpt_run_state_dangles(const char *path);

/*
 * Law 6's one exception, for an attempt after the first without mark, ledger and candidate: true if
 * the nearest existing ancestor of every directory of @roots lies on @work_dir's file system or on
 * a mounted one of its own, so that nothing points to a missing mount.
 */
bool ckpt_run_state_never_began(const struct ckpt_roots *roots, const char *work_dir);

/* Frees what @state owns. */
void ckpt_run_state_done(struct ckpt_run_state *state);

#endif
