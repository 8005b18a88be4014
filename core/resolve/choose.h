/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last step of a resolution: choosing among what was scanned, or saying why nothing is. Private
 * to core/resolve.
 */
#ifndef CKPT_CORE_RESOLVE_CHOOSE_H
#define CKPT_CORE_RESOLVE_CHOOSE_H

#include "core/resolve/resolve.h"
#include "core/resolve/select.h"

/* What a step answers besides 0 (go on) and an errno: the decision is made. */
enum { CKPT_STEP_DONE = 1 };

/* One resolution under way. */
struct ckpt_resolving {
	struct ckpt_ctx *ctx;
	const struct ckpt_request *req;
	struct ckpt_resolution *res;
	struct ckpt_mode mode;		  /* in force at this attempt */
	bool began_fresh;		  /* later attempts take the run's own work or nothing */
	char pin_path[2 * CKPT_PATH_MAX]; /* backs a pin of the run configuration */
	struct ckpt_selection select;
	struct ckpt_error *err;
};

/* A checkpoint that the run configuration names: absolute, relative to the run directory, or a
 * name. */
struct ckpt_mode ckpt_choose_config_pin(struct ckpt_resolving *r, const char *text);

/* The selection of @res for @req, at the level that it asks for. */
struct ckpt_selection ckpt_choose_selection(struct ckpt_ctx *ctx, const struct ckpt_request *req,
					    struct ckpt_resolution *res);

/* Makes the decision by r->mode: the chosen one, fresh, or a refusal. CKPT_STEP_DONE or an errno.
 */
int ckpt_choose(struct ckpt_resolving *r);

#endif
