/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heart: request -> decision, with the trail that led there. Every front door comes here.
 */
#ifndef CKPT_CORE_RESOLVE_RESOLVE_H
#define CKPT_CORE_RESOLVE_RESOLVE_H

#include <cjson/cJSON.h>

#include "core/catalog/catalog.h"
#include "core/config/run_config.h"
#include "core/resolve/epochs.h"
#include "core/resolve/run_state.h"
#include "wire/decision.h"
#include "wire/request.h"

enum ckpt_fate {
	CKPT_FATE_CHOSEN,
	CKPT_FATE_REJECTED,	 /* looked at; the verdict is not valid */
	CKPT_FATE_PASSED_OVER,	 /* valid, but a rule says no: foreign, superseded by rank, weights
				    only */
	CKPT_FATE_NOT_LOOKED_AT, /* something better was found before */
	CKPT_FATE_BUDGET,	 /* time or bytes ran out */
};

/* "chosen", "rejected", ... Never NULL. */
const char *ckpt_fate_name(enum ckpt_fate fate);

/* One step of the trail; set is borrowed from the resolution's catalog, NULL for a remark. */
struct ckpt_trail_entry {
	const struct ckpt_set *set;
	size_t earlier; /* the entry about the same set before this one + 1; 0 = none */
	enum ckpt_fate fate;
	bool newer; /* rejected, and it would have come before the chosen one */
	char why[512];
};

/* A decision with all that led to it. Owned by the caller, ckpt_resolution_done(). */
struct ckpt_resolution {
	struct ckpt_decision decision;
	struct ckpt_catalog catalog;
	struct ckpt_catalog former; /* that of the run directories, where a fetch came after it */
	struct ckpt_trail_entry *trail; /* in the order in which things were looked at */
	size_t n_trail, n_unseen; /* n_unseen: further candidates not looked at and not listed */
	char run_dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX]; /* expanded, absolute, in order */
	int n_run_dirs;
	const char *fallback;	       /* ckpt_expand_fallback() */
	struct ckpt_roots roots;       /* where the run's state lies: run_dirs, or --ckpt-state */
	char state_dir[CKPT_PATH_MAX]; /* backs roots for --ckpt-state */
	struct ckpt_run_state state;
	struct ckpt_run_config config;
	const struct ckpt_set *chosen; /* NULL: fresh or refused */
	struct ckpt_epochs epochs;     /* of the chosen one */
	bool first; /* this attempt begins the run: attempt 0, or the one that never came so far */
	size_t unreadable; /* candidates that could not be judged */
	bool unproved; /* the budget cut the chosen one's content off: not for a hook to hand on */
	char fresh_why[512]; /* why it starts fresh, where that is not plain */
	bool wants_fetch;    /* nothing found, and model.fetch could get something */
};

/*
 * Makes the decision for @req. Reads only; writes nothing, runs nothing. 0 with the decision (mode
 * refused where the job must not start; the line says why); < 0 when the request itself could not
 * be worked on (memory, an impossible work directory): then @err says so and there is no decision.
 */
int ckpt_resolve(struct ckpt_ctx *ctx, const struct ckpt_request *req, struct ckpt_resolution *ret,
		 struct ckpt_error *err);

/*
 * The first part of it: run directories and what the run left there, without a look at any
 * checkpoint. 0 or an errno with @err. The caller calls ckpt_resolution_done().
 */
int ckpt_resolve_place(struct ckpt_ctx *ctx, const struct ckpt_request *req,
		       struct ckpt_resolution *ret, struct ckpt_error *err);

/*
 * Goes on where wants_fetch was set and the fetch command has filled @dir: chooses there, and only
 * there, as auto does, with mode finetune. 0 with the decision remade (still fresh where nothing
 * valid came); or an errno.
 */
int ckpt_resolve_fetched(struct ckpt_ctx *ctx, const struct ckpt_request *req,
			 struct ckpt_resolution *res, const char *dir, struct ckpt_error *err);

/* The decision and its trail as JSON, for decision-*.json, `ckptctl why --json`. NULL = no memory.
 */
cJSON *ckpt_resolution_json(const struct ckpt_resolution *resolution);

/* A set with its report (if verified) as the contract's JSON of a verdict. NULL = no memory. */
cJSON *ckpt_set_json(const struct ckpt_set *set);

/* The same of a path that is no set: missing, or it could not be looked at. NULL = no memory. */
cJSON *ckpt_path_json(const char *path, const struct ckpt_report *report);

/* Frees what @resolution owns. */
void ckpt_resolution_done(struct ckpt_resolution *resolution);
#define _cleanup_resolution_ _cleanup_(ckpt_resolution_done)

#endif
