/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the catalog's checkpoints: by most progress, by the order of `best`, or the pinned one.
 * Looks at as few as an answer needs, newest names first, and keeps the trail.
 */
#ifndef CKPT_CORE_RESOLVE_SELECT_H
#define CKPT_CORE_RESOLVE_SELECT_H

#include "core/config/run_config.h"
#include "core/resolve/mode.h"
#include "core/resolve/resolve.h"
#include "core/resolve/run_state.h"

/* One selection under way; all borrowed. */
struct ckpt_selection {
	struct ckpt_ctx *ctx;
	const struct ckpt_request *req;
	struct ckpt_resolution *res;
	const struct ckpt_run_state *state; /* NULL: no lineage counts */
	const struct ckpt_run_config *config;
	enum ckpt_level level;
	bool sample;	    /* some chunks of what a seal shows unchanged are read again */
	size_t unreadable;  /* candidates that could not be judged */
	size_t turned_away; /* whole ones that the run configuration's validation does not take */
	size_t poisoned;    /* whole ones that hold NaN or Inf, which the site does not take */
	bool unproved;	    /* the chosen one's content was not read to its end */
};

enum ckpt_select_result {
	CKPT_SELECT_NONE = 1, /* found out: nothing that may be used */
	CKPT_SELECT_UNKNOWN,  /* nothing usable, and at least one candidate could not be judged */
};

/* Most progress among the valid ones; newest run first, others only where it has nothing valid. 0
 * with *@ret (borrowed from the catalog), ckpt_select_result, or -ENOMEM. */
int ckpt_select_auto(struct ckpt_selection *s, struct ckpt_set **ret);

/* The order of mode `best`: named, best, last, numbered; custom, pretrained and fetched are the
 * caller's. */
int ckpt_select_best(struct ckpt_selection *s, struct ckpt_set **ret);

/* Moves those of @list that have a score by @metric (KEY:min, KEY:max; empty: the lowest loss) to
 * the front, best first. Returns how many they are. */
size_t ckpt_select_order_by_score(struct ckpt_set **list, size_t n, const char *metric);

/* The one that @mode (a pin) names. On NONE and UNKNOWN @err says what is wrong with it. */
int ckpt_select_pinned(struct ckpt_selection *s, const struct ckpt_mode *mode,
		       struct ckpt_set **ret, struct ckpt_error *err);

/*
 * Proves one certain set, at the selection's level, with the run configuration's rules: 0, NONE
 * (rejected; the trail says why) or UNKNOWN.
 */
int ckpt_select_prove(struct ckpt_selection *s, struct ckpt_set *set);

/* Recalls the verified @set, which is about to be chosen, where it is on tape and the context lets
 * that be (recall_chosen), says so in a warning, and verifies its structure. */
void ckpt_select_recall(struct ckpt_selection *s, struct ckpt_set *set);

#endif
