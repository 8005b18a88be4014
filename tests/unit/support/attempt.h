/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attempts of a job in a scratch directory, for tests of the resolver: its request, its decision,
 * and one selection among what lies there. Whatever fails here fails the test.
 */
#ifndef CKPT_TESTS_UNIT_SUPPORT_ATTEMPT_H
#define CKPT_TESTS_UNIT_SUPPORT_ATTEMPT_H

#include "core/resolve/select.h"
#include "tests/unit/support/scratch.h"
#include "tests/unit/support/torch_synthetic.h"

#define ATTEMPT_JOB 41
#define ATTEMPT_STATE ".ckpt-resume/"

/* Writes the text @text to the member @member of a struct. */
#define ATTEMPT_SET(member, text)                                                                  \
	assert_true(snprintf((member), sizeof(member), "%s", (text)) < (int)sizeof(member))

/* Attempt @number of ATTEMPT_JOB on cluster "test" in @dir, as the step asks. The caller frees it.
 */
struct ckpt_request *attempt_request(const struct scratch *dir, int64_t number);

/* A checkpoint of training at @epoch and @step (negative: absent), whole. */
void attempt_put(const struct scratch *dir, const char *name, long epoch, long step);

/* The same with a bit of its data flipped: its structure is whole. */
void attempt_put_flipped(const struct scratch *dir, const char *name, long epoch, long step);

/* The same, cut off. */
void attempt_put_cut(const struct scratch *dir, const char *name, long epoch, long step);

/* Decides @req; the caller calls ckpt_resolution_done(). */
void attempt_resolve(const struct ckpt_request *req, struct ckpt_resolution *ret);

/* Decides and settles @req. */
void attempt_settle(const struct ckpt_request *req, struct ckpt_decision *ret);

/* Decides and settles attempt @number of @mode in @dir. */
void attempt_make(const struct scratch *dir, int64_t number, const char *mode,
		  struct ckpt_decision *ret);

/* The last entry about @name in @res's trail; fails where there is none. */
const struct ckpt_trail_entry *attempt_trail(const struct ckpt_resolution *res, const char *name);

/* The sets of @res of which anything was read. */
size_t attempt_looked(const struct ckpt_resolution *res);

/* A file of training at @step that attempt_broken cannot read. */
void attempt_put_broken(const struct scratch *dir, const char *name, long step);

/* A seam by which reading such a file fails with EIO. */
extern const struct ckpt_seam attempt_broken;

/* One selection among the checkpoints of a directory; tests change its members before they ask. */
struct attempt_selection {
	struct ckpt_request *req;
	struct ckpt_ctx ctx;
	struct ckpt_resolution res;
	struct ckpt_run_config config;
	struct ckpt_selection s;
};

/* Scans @dir (and @glob, as --ckpt-glob has it; NULL: none) for a selection in full of attempt 0.
 */
struct attempt_selection *attempt_selection_new(const struct scratch *dir, const char *glob);

/* Frees it. */
void attempt_selection_free(struct attempt_selection *selection);

/* Name of what mode auto chooses there; "none", "unknown". */
const char *attempt_auto(struct attempt_selection *selection);

/* The set named @name; fails where there is none. */
struct ckpt_set *attempt_set(struct attempt_selection *selection, const char *name);

#endif
