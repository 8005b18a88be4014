/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See stages.h. Whatever is read is checked against its checksum first, then field by field: the
 * file may be anybody's.
 */
#include "core/record/stages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "core/record/lock.h"
#include "wire/text.h"

#define LOCK_WAIT_MS 10000

const char *ckpt_stage_state_name(enum ckpt_stage_state state)
{
	static const char *const names[] = {
		[CKPT_STAGE_RUNNING] = "running",
		[CKPT_STAGE_COMPLETE] = "complete",
		[CKPT_STAGE_FAILED] = "failed",
		[CKPT_STAGE_INTERRUPTED] = "interrupted",
	};

	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

bool ckpt_stage_is_name(const char *name)
{
	return ckpt_text_is_word(name) && strlen(name) < CKPT_STAGE_NAME;
}

struct ckpt_stage *ckpt_stages_find(const struct ckpt_stages *stages, const char *name)
{
	for (size_t i = 0; i < stages->n; i++)
		if (strcmp(stages->s[i].name, name) == 0)
			return &stages->s[i];
	return NULL;
}

int ckpt_stage_add_output(struct ckpt_stage *stage, const struct ckpt_stage_output *output)
{
	struct ckpt_stage_output copy = *output, *grown;

	if (stage->n_outputs == CKPT_STAGE_OUTPUTS)
		return -E2BIG;
	grown = reallocarray(stage->outputs, stage->n_outputs + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	stage->outputs = grown;
	copy.path = strdup(output->path);
	copy.given = strdup(output->given);
	if (!copy.path || !copy.given) {
		free(copy.path);
		free(copy.given);
		return -ENOMEM;
	}
	stage->outputs[stage->n_outputs++] = copy;
	return 0;
}

static int copy_stage(const struct ckpt_stage *stage, struct ckpt_stage *ret)
{
	_cleanup_stage_ struct ckpt_stage copy = *stage;

	copy.outputs = NULL;
	copy.n_outputs = 0;
	for (size_t i = 0; i < stage->n_outputs; i++) {
		int r = ckpt_stage_add_output(&copy, &stage->outputs[i]);

		if (r < 0)
			return r;
	}
	*ret = copy;
	copy.outputs = NULL;
	copy.n_outputs = 0;
	return 0;
}

int ckpt_stages_put(struct ckpt_stages *stages, const struct ckpt_stage *stage)
{
	struct ckpt_stage *old = ckpt_stages_find(stages, stage->name), copy, *grown;
	int r;

	if (!old && stages->n == CKPT_STAGE_COUNT)
		return -E2BIG;
	r = copy_stage(stage, &copy);
	if (r < 0)
		return r;
	if (old) {
		ckpt_stage_done(old);
		*old = copy;
		return 0;
	}
	grown = reallocarray(stages->s, stages->n + 1, sizeof(*grown));
	if (!grown) {
		ckpt_stage_done(&copy);
		return -ENOMEM;
	}
	stages->s = grown;
	stages->s[stages->n++] = copy;
	return 0;
}

bool ckpt_stages_remove(struct ckpt_stages *stages, const char *name)
{
	struct ckpt_stage *stage = ckpt_stages_find(stages, name);
	size_t behind;

	if (!stage)
		return false;
	ckpt_stage_done(stage);
	behind = stages->n - (size_t)(stage - stages->s) - 1;
	memmove(stage, stage + 1, behind * sizeof(*stage));
	stages->n--;
	return true;
}

void ckpt_stage_done(struct ckpt_stage *stage)
{
	for (size_t i = 0; i < stage->n_outputs; i++) {
		free(stage->outputs[i].path);
		free(stage->outputs[i].given);
	}
	free(stage->outputs);
	stage->outputs = NULL;
	stage->n_outputs = 0;
}

void ckpt_stages_done(struct ckpt_stages *stages)
{
	for (size_t i = 0; i < stages->n; i++)
		ckpt_stage_done(&stages->s[i]);
	free(stages->s);
	stages->s = NULL;
	stages->n = 0;
}

/* One copy. 0, ABSENT, TORN or an errno. */
static int load_one(struct ckpt_ctx *ctx, int statefd, const char *name, struct ckpt_stages *ret,
		    struct ckpt_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = ckpt_file_slurp(ctx, statefd, name, CKPT_JSON_MAX, &text, &len, err);

	if (r == -ENOENT)
		return CKPT_STATE_ABSENT;
	if (r > 0 || r == -EFBIG)
		return CKPT_STATE_TORN;
	return r < 0 ? r : ckpt_stages_parse(text, len, ret);
}

int ckpt_stages_load(struct ckpt_ctx *ctx, int statefd, struct ckpt_stages *ret,
		     struct ckpt_error *err)
{
	_cleanup_stages_ struct ckpt_stages a = { 0 }, b = { 0 };
	struct ckpt_stages *newer;
	int ra, rb;

	memset(ret, 0, sizeof(*ret));
	ra = load_one(ctx, statefd, CKPT_STAGES, &a, err);
	rb = load_one(ctx, statefd, CKPT_STAGES_COPY, &b, err);
	if (ra < 0 || rb < 0)
		return ra < 0 ? ra : rb;
	ret->torn = ra == CKPT_STATE_TORN;
	ret->copy_torn = rb == CKPT_STATE_TORN;
	if (ra != 0 && rb != 0)
		return ret->torn || ret->copy_torn ? CKPT_STATE_TORN : CKPT_STATE_ABSENT;
	newer = rb == 0 && (ra != 0 || b.seq > a.seq) ? &b : &a;
	ret->seq = newer->seq;
	ret->s = ckpt_take_ptr(newer->s);
	ret->n = newer->n;
	newer->n = 0;
	return 0;
}

static void keep_torn(int statefd, const char *name)
{
	char aside[64];

	snprintf(aside, sizeof(aside), "%s.torn", name);
	renameat(statefd, name, statefd, aside);
}

static int store(int statefd, const struct ckpt_stages *stages, struct ckpt_error *err)
{
	_cleanup_free_ char *text = ckpt_stages_print(stages);
	int r;

	if (!text)
		return ckpt_fail(err, -ENOMEM, "no memory for %s", CKPT_STAGES);
	if (strlen(text) > CKPT_JSON_MAX)
		return ckpt_fail(err, -EFBIG, "%s would be too large", CKPT_STAGES);
	if (stages->torn)
		keep_torn(statefd, CKPT_STAGES);
	r = ckpt_file_replace(statefd, CKPT_STAGES, text, strlen(text), err);
	if (r < 0)
		return r;
	if (stages->copy_torn)
		keep_torn(statefd, CKPT_STAGES_COPY);
	return ckpt_file_replace(statefd, CKPT_STAGES_COPY, text, strlen(text), err);
}

/* Whether a lock was refused because there are none here. */
static bool cannot_lock(int r)
{
	return r == -EINVAL || r == -ENOLCK || r == -EOPNOTSUPP || r == -ENOSYS;
}

int ckpt_stages_edit(struct ckpt_ctx *ctx, int statefd, ckpt_stages_fn *edit, void *arg,
		     struct ckpt_error *err)
{
	_cleanup_close_ int lock = ckpt_state_lock(statefd, LOCK_WAIT_MS, err);
	_cleanup_stages_ struct ckpt_stages stages = { 0 };
	int r;

	if (lock < 0 && !cannot_lock(lock))
		return lock;
	r = ckpt_stages_load(ctx, statefd, &stages, err);
	if (r < 0)
		return r;
	r = edit(arg, &stages);
	if (r != 0)
		return r;
	stages.seq++;
	return store(statefd, &stages, err);
}
