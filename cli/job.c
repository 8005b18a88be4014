/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See job.h. The environment is the user's own and decides nothing that he could not say himself.
 */
#include "cli/job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/record/state.h"
#include "core/resolve/expand.h"
#include "core/resolve/settle.h"

#define OPTIONS "SLURM_SPANK_CKPT_" /* the job's options, as the plugin keeps them */

static const char *lookup(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static bool number_of(const char *name, int64_t *ret)
{
	const char *text = getenv(name);

	return text && ckpt_text_int(text, 0, UINT32_MAX, ret);
}

/* The decision file's own words are more than the variables carry: all run directories. */
static bool read_decision(struct ckpt_cli_job *job)
{
	const char *file = getenv("CKPT_DECISION");
	struct ckpt_decision *d = &job->decision;
	struct ckpt_ctx ctx = { 0 };
	struct ckpt_error err;

	if (file && *file && ckpt_decision_load(&ctx, file, d, &err) == 0 &&
	    d->job_id == job->job_id && d->attempt == job->attempt)
		return true;
	memset(d, 0, sizeof(*d));
	return ckpt_fields_from_env(&ckpt_decision_fields, d, "CKPT_", lookup, NULL, &err) == 0 &&
	       ckpt_decision_check(d, &err) == 0;
}

/* DIR of DIR/.ckpt-resume/decision-... */
static void read_state(struct ckpt_cli_job *job)
{
	const char *file = getenv("CKPT_DECISION");
	const char *at = file ? strstr(file, "/" CKPT_STATE_DIR "/decision-") : NULL;

	if (at && file[0] == '/' && (size_t)(at - file) < sizeof(job->state))
		memcpy(job->state, file, (size_t)(at - file));
}

static int64_t restarts(const struct ckpt_cli_job *job)
{
	int64_t n = 0;

	return job->slurm && number_of("SLURM_RESTART_COUNT", &n) ? n : 0;
}

void ckpt_cli_job_read(struct ckpt_cli_job *job)
{
	int64_t decided_job = -1, decided_attempt = -1;

	memset(job, 0, sizeof(*job));
	job->slurm = number_of("SLURM_JOB_ID", &job->job_id);
	job->attempt = restarts(job);
	if (!getenv("CKPT_RESUME_MODE") || !number_of("CKPT_JOB", &decided_job) ||
	    !number_of("CKPT_ATTEMPT", &decided_attempt))
		return;
	if (decided_job != job->job_id || (job->slurm && decided_attempt < job->attempt)) {
		ckpt_cli_fail(0, "the CKPT_* variables are those of %s and are ignored",
			      decided_job != job->job_id ? "another job" : "another attempt");
		return;
	}
	job->attempt = decided_attempt;
	job->decided = read_decision(job);
	if (job->decided)
		read_state(job);
}

/* A directory as --dir and --state have it: no letters to expand. Empty where it is too long. */
static void escape_dir(const char *dir, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	if (2 * strlen(dir) >= size)
		return;
	for (; *dir; dir++) {
		buf[n++] = *dir;
		if (*dir == '%')
			buf[n++] = '%';
	}
	buf[n] = '\0';
}

/* Whether the decision's state lies elsewhere than in its first run directory. */
static bool has_own_state(const struct ckpt_cli_job *job)
{
	return job->state[0] && strcmp(job->state, job->decision.dir) != 0;
}

/* Options of the job hold where the command line says nothing. */
static void take_options(const struct ckpt_request *from, struct ckpt_request *req)
{
	for (size_t i = 0; i < ckpt_request_fields.n; i++) {
		const struct ckpt_field *row = &ckpt_request_fields.rows[i];
		char *member = (char *)req + row->offset;

		if (row->offset >= offsetof(struct ckpt_request, repin) ||
		    row->type == CKPT_FIELD_INT || *member)
			continue;
		ckpt_text_copy(member, row->size, (const char *)from + row->offset);
	}
	req->repin = from->repin;
}

static void take_decided(const struct ckpt_cli_job *job, struct ckpt_request *req)
{
	_cleanup_free_ struct ckpt_request *options = malloc(sizeof(*options));
	const struct ckpt_decision *d = &job->decision;
	bool dirs_given = req->dirs[0] != '\0';

	req->expanded = dirs_given	? 0
			: d->by_default ? CKPT_REQUEST_BY_DEFAULT
					: CKPT_REQUEST_EXPANDED;
	if (!dirs_given && d->dirs[0])
		ckpt_text_copy(req->dirs, sizeof(req->dirs), d->dirs);
	else if (!dirs_given && !strchr(d->dir, ':')) /* which no list could hold */
		escape_dir(d->dir, req->dirs, sizeof(req->dirs));
	if (!dirs_given && !req->state[0] && has_own_state(job))
		escape_dir(job->state, req->state, sizeof(req->state));
	if (!options || !job->slurm)
		return;
	ckpt_request_init(options);
	if (ckpt_request_options_from_env(options, OPTIONS, lookup, NULL, NULL) == 0) {
		if (dirs_given || job->state[0])
			options->state[0] = '\0';
		if (strcmp(req->mode, "auto") == 0)
			ckpt_text_copy(req->mode, sizeof(req->mode), options->mode);
		take_options(options, req);
	}
}

/* Rows of the request that the environment has; a bad value leaves its row as it is. */
static void take_facts(const struct ckpt_cli_job *job, struct ckpt_request *req)
{
	static const struct {
		const char *key, *name;
	} facts[] = {
		{ "cluster", "SLURM_CLUSTER_NAME" },   { "node", "SLURMD_NODENAME" },
		{ "job_name", "SLURM_JOB_NAME" },      { "user", "SLURM_JOB_USER" },
		{ "array_job", "SLURM_ARRAY_JOB_ID" }, { "array_task", "SLURM_ARRAY_TASK_ID" },
	};

	ckpt_text_copy(req->cluster, sizeof(req->cluster), CKPT_LOCAL_CLUSTER);
	if (gethostname(req->node, sizeof(req->node) - 1) < 0)
		req->node[0] = '\0';
	for (size_t i = 0; job->slurm && i < sizeof(facts) / sizeof(facts[0]); i++) {
		const char *value = getenv(facts[i].name);

		if (value)
			ckpt_field_set(ckpt_field_find(&ckpt_request_fields, facts[i].key), req,
				       value, NULL);
	}
	req->job_id = job->job_id;
	req->attempt = job->attempt;
}

/* Whether the directories of @req are others than those that the decision is about. */
static bool is_elsewhere(const struct ckpt_cli_job *job, const struct ckpt_request *req)
{
	char dirs[CKPT_REQUEST_DIRS][CKPT_PATH_MAX];
	int n = 0;

	return req->dirs[0] && (ckpt_expand_dirs(req, dirs, &n, NULL) != 0 ||
				strcmp(dirs[0], job->decision.dir) != 0);
}

bool ckpt_cli_job_request(struct ckpt_cli_job *job, struct ckpt_cli_request *cli)
{
	struct ckpt_request *req = &cli->req;

	take_facts(job, req);
	if (job->decided && is_elsewhere(job, req)) {
		job->decided = false;
		job->attempt = req->attempt = restarts(job);
	}
	if (job->decided)
		take_decided(job, req);
	req->reason[0] = '\0';
	return ckpt_cli_request_ready(cli);
}

bool ckpt_cli_roots(const struct ckpt_request *req, struct ckpt_cli_roots *ret)
{
	struct ckpt_error err = { .text = "the run directory is not known" };
	int n = 0;

	memset(ret, 0, sizeof(*ret));
	if (ckpt_expand_roots(req, ret->dirs, &n, &err) != 0)
		return ckpt_cli_fail(0, "%s", err.text), false;
	for (int i = 0; i < n; i++)
		ret->roots.dir[i] = ret->dirs[i];
	ret->roots.n = n;
	return true;
}

bool ckpt_cli_job_roots(struct ckpt_cli_job *job, const char *dir, struct ckpt_cli_roots *ret)
{
	static struct ckpt_cli_request cli;

	if (dir) {
		memset(ret, 0, sizeof(*ret));
		ret->roots = (struct ckpt_roots) { .dir = { ret->dirs[0] }, .n = 1 };
		if (ckpt_cli_absolute(dir, ret->dirs[0]))
			return true;
		return ckpt_cli_fail(0, "the directory's name is too long"), false;
	}
	ckpt_cli_request_init(&cli);
	return ckpt_cli_job_request(job, &cli) && ckpt_cli_roots(&cli.req, ret);
}
