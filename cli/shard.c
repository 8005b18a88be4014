/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See shard.h. In a step of Slurm the last task to finish puts the parts together, which it knows
 * by the step's id in them; outside, `--merge` does.
 */
#include "cli/shard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/step.h"
#include "core/base/share.h"
#include "core/integrity/part.h"
#include "core/resolve/trail.h"
#include "wire/text.h"

#define STATE_DIR ".ckpt-resume"

static bool parse_numbers(const char *index, const char *count, struct ckpt_cli_shard *ret)
{
	int64_t i, n;

	if (!index || !count || !ckpt_text_int(count, 1, CKPT_SHARE_MAX, &n) ||
	    !ckpt_text_int(index, 0, n - 1, &i))
		return false;
	ret->index = (unsigned int)i;
	ret->count = (unsigned int)n;
	return true;
}

/* Whether this task is one of a step of this very job, whose processes share the work: a job that
 * was submitted from within a step inherits that step's id and its number of tasks, but not
 * SLURM_NTASKS. */
static bool is_task(const char *job, struct ckpt_cli_step *ret)
{
	const char *all = getenv("SLURM_NTASKS");

	return job && *job && all && ckpt_cli_step_read(ret) &&
	       strcmp(all, getenv("SLURM_STEP_NUM_TASKS")) == 0;
}

bool ckpt_cli_shard_parse(const char *text, struct ckpt_cli_shard *ret, const char **ret_why)
{
	const char *slash = strchr(text, '/');
	const char *job = getenv("SLURM_JOB_ID");
	struct ckpt_cli_step task;
	char index[24];

	ret->on = true;
	if (strcmp(text, "auto") == 0) {
		*ret_why = "this is no task of a step of Slurm: start it with srun";
		if (!is_task(job, &task))
			return false;
		snprintf(ret->run, sizeof(ret->run), "%.24s.%lld", job, (long long)task.id);
		return parse_numbers(getenv("SLURM_PROCID"), getenv("SLURM_NTASKS"), ret);
	}
	*ret_why = "I/N, 0 <= I < N, or auto";
	if (!slash || slash - text >= (int)sizeof(index))
		return false;
	memcpy(index, text, (size_t)(slash - text));
	index[slash - text] = '\0';
	return parse_numbers(index, slash + 1, ret);
}

/* The directory of the parts, made if need be. Descriptor or an errno. */
static int open_parts(const struct ckpt_cli_shard *shard, const struct ckpt_set *set,
		      struct ckpt_error *err)
{
	_cleanup_close_ int dirfd = -1;

	if (shard->dir)
		return ckpt_dir_open(AT_FDCWD, shard->dir, err);
	dirfd = ckpt_dir_open(AT_FDCWD, set->dir, err);
	return dirfd < 0 ? dirfd : ckpt_dir_make(dirfd, STATE_DIR, err);
}

/* One path under way. */
struct validating {
	const struct ckpt_cli_shard_job *job;
	const char *path;
	struct ckpt_set *set;
	struct ckpt_parts parts;
	cJSON **ret;
};

static int fail(const struct validating *v, int code, const struct ckpt_error *err)
{
	*v->ret = ckpt_cli_unfound_json(v->path, code, err);
	return v->job->quiet ? code : ckpt_cli_fail(code, "%s", err->text);
}

#define SHARE_ONLY " (its share alone: `ckptctl validate --merge` tells the whole)"

/* Prints and returns the answer; @part: of this shard alone. */
static int answer(const struct validating *v, bool part)
{
	const struct ckpt_cli_shard *shard = v->job->shard;
	cJSON *o = ckpt_set_json(v->set), *of;
	char words[CKPT_REPORT_WORDS], which[48] = "";

	if (part)
		snprintf(which, sizeof(which), "part %u of %u: ", shard->index, shard->count);
	of = cJSON_AddObjectToObject(o, "shard");
	if (part)
		cJSON_AddNumberToObject(of, "index", shard->index);
	cJSON_AddNumberToObject(of, "count", v->parts.count);
	cJSON_AddBoolToObject(of, "merged", !part);
	*v->ret = o;
	if (!v->job->json && !v->job->quiet)
		ckpt_cli_say("%s: %s%s%s", v->path, which,
			     ckpt_report_words(words, sizeof(words), v->set->report, v->set->name),
			     part && v->set->report->verdict.status == CKPT_VALID ? SHARE_ONLY
										  : "");
	return ckpt_cli_exit(v->set->report->verdict.status);
}

/* Puts the parts together. True if all are there, or @always; then *@ret_code is the exit code. */
static bool merge(struct validating *v, bool always, int *ret_code)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct ckpt_set *part = v->set;
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err;
	int r = ckpt_cli_find(&ctx, &cat, v->path, v->job->glob, &v->set, &err);

	if (r != 0) {
		*ret_code = fail(v, r, &err);
		return true;
	}
	r = ckpt_part_merge(&ctx, &v->parts, v->set, &err);
	if (r < 0)
		*ret_code = fail(v, CKPT_EXIT_UNKNOWN, &err);
	else if (r == 0 || always)
		*ret_code = answer(v, false);
	v->set = part;
	return r <= 0 || always;
}

static int make(struct validating *v, struct ckpt_ctx *ctx)
{
	const struct ckpt_cli_shard *shard = v->job->shard;
	_cleanup_share_ struct ckpt_share share = { .index = shard->index, .count = shard->count };
	struct ckpt_error err = { 0 };
	int r;

	ctx->share = &share;
	r = ckpt_part_make(ctx, &v->parts, v->set, v->job->level, &err);
	ctx->share = NULL;
	ckpt_cli_progress_end(ctx);
	if (r < 0)
		return fail(v, CKPT_EXIT_UNKNOWN, &err);
	if (shard->run[0] && merge(v, false, &r))
		return r;
	return answer(v, true);
}

int ckpt_cli_shard_validate(const struct ckpt_cli_shard_job *job, struct ckpt_ctx *ctx,
			    const char *path, cJSON **ret)
{
	_cleanup_catalog_ struct ckpt_catalog cat = { 0 };
	struct validating v = { .job = job, .path = path, .ret = ret };
	_cleanup_close_ int dirfd = -1;
	struct ckpt_error err = { 0 };
	int r = ckpt_cli_find(ctx, &cat, path, job->glob, &v.set, &err);

	if (r != 0)
		return fail(&v, r, &err);
	dirfd = open_parts(job->shard, v.set, &err);
	if (dirfd < 0)
		return fail(&v, CKPT_EXIT_UNKNOWN, &err);
	v.parts = (struct ckpt_parts) { dirfd, v.set->name, job->shard->count, job->shard->run };
	if (job->shard->on)
		return make(&v, ctx);
	if (v.parts.count == 0)
		v.parts.count = ckpt_part_count(dirfd, v.set->name);
	if (v.parts.count == 0) {
		ckpt_fail(&err, -ENOENT, "%s: no part of a check is there", path);
		return fail(&v, CKPT_EXIT_UNKNOWN, &err);
	}
	merge(&v, true, &r);
	return r;
}
