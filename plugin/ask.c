/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ask.h. No deadline here for a decision: the agent keeps the site's budget itself, and a dead
 * file system holds it as it would hold the job.
 */
#include "plugin/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/frame.h"
#include "wire/launch.h"
#include "wire/text.h"

/* Where Slurm puts a job whose work directory is missing. */
#define FALLBACK_CWD "/tmp"

void ckpt_ask_say(const char *text)
{
	dprintf(STDERR_FILENO, "ckpt-resume: %s\n", text);
}

static void say_warning(const char *text)
{
	if (*text)
		dprintf(STDERR_FILENO, "ckpt-resume: warning: %s\n", text);
}

bool ckpt_ask_site(struct ckpt_site *site, int ac, char *argv[])
{
	struct ckpt_error err = { 0 };
	const char *argument = NULL;
	char path[CKPT_PATH_MAX];

	for (int i = 0; i < ac; i++)
		ckpt_text_starts(argv[i], "config=", &argument);
	ckpt_site_path(argument, getenv("SLURM_CONF"), path);
	if (ckpt_site_load(site, path, &err) < 0)
		slurm_error("ckpt-resume: %s; using the defaults", err.text);
	return !ckpt_site_disabled(site);
}

/* Rows of the request that Slurm has in the job's environment; a bad value leaves its row empty. */
static const struct {
	const char *key, *name;
} facts[] = {
	{ "cluster", "SLURM_CLUSTER_NAME" },
	{ "node", "SLURMD_NODENAME" },
	{ "job_name", "SLURM_JOB_NAME" },
	{ "user", "SLURM_JOB_USER" },
};

static void fill_facts(struct ckpt_request *req, const struct ckpt_asking *asking)
{
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		const char *value = asking->lookup(asking->arg, facts[i].name);
		char clean[sizeof(req->job_name)];

		if (!value || !ckpt_text_copy(clean, sizeof(clean), value))
			continue;
		ckpt_text_clean(clean);
		ckpt_field_set(ckpt_field_find(&ckpt_request_fields, facts[i].key), req, clean,
			       NULL);
	}
}

/* True if a run directory, or that of the state, is taken from the work directory. */
static bool needs_work_dir(const struct ckpt_request *req)
{
	const char *dirs = *req->dirs ? req->dirs : req->default_dir;

	if (*dirs != '/' || (*req->state && *req->state != '/'))
		return true;
	for (const char *p = strchr(dirs, ':'); p; p = strchr(p + 1, ':'))
		if (p[1] != '/')
			return true;
	return false;
}

/*
 * Slurm starts a job whose work directory is missing in /tmp. Deciding from there would find no
 * checkpoint and start afresh, so what looks like that is told apart from a job that wants /tmp.
 */
static bool is_displaced(const struct ckpt_request *req, const struct ckpt_asking *asking)
{
	const char *submit = asking->lookup(asking->arg, "SLURM_SUBMIT_DIR");

	if (strcmp(req->work_dir, FALLBACK_CWD) != 0 || !submit ||
	    strcmp(submit, FALLBACK_CWD) == 0 || !needs_work_dir(req))
		return false;
	return req->attempt > 0 || access(submit, X_OK) < 0;
}

int ckpt_ask_request(struct ckpt_request *req, const struct ckpt_asking *asking,
		     struct ckpt_error *err)
{
	int r;

	ckpt_request_init(req);
	r = ckpt_request_options_from_env(req, CKPT_OPTION, asking->lookup, asking->arg, err);
	if (r < 0)
		return r;
	fill_facts(req, asking);
	req->job_id = asking->job_id;
	req->attempt = asking->attempt;
	req->hooks = asking->hooks;
	req->array_job = asking->array_job;
	req->array_task = asking->array_task;
	if (asking->attempt == 0) /* later the ledger knows why, if anybody does */
		ckpt_text_copy(req->reason, sizeof(req->reason), "first-start");
	ckpt_site_into_request(asking->site, req);
	req->lease = asking->companion;
	req->max_bytes = 0;
	req->budget_ms = asking->site->step_budget_ms;
	if (!getcwd(req->work_dir, sizeof(req->work_dir)))
		req->work_dir[0] = '\0';
	if (!*req->work_dir || is_displaced(req, asking))
		return ckpt_fail(err, -ESTALE, "the job's work directory is not there");
	return 0;
}

static struct ckpt_ending refuse(enum ckpt_refusal code)
{
	return (struct ckpt_ending) { .refused = true, .code = code };
}

/* What a usable decision means for the task. */
static struct ckpt_ending conclude(const struct ckpt_decision *d)
{
	ckpt_ask_say(d->line);
	say_warning(d->warning);
	if (strcmp(d->mode, "refused") == 0)
		return refuse((enum ckpt_refusal)d->refusal);
	return (struct ckpt_ending) { .start = strcmp(d->mode, "done") != 0 };
}

/* Nothing was found out: only a first start that wants to be fresh goes on. */
static struct ckpt_ending conclude_unknown(const struct ckpt_request *req, struct ckpt_decision *d,
					   const char *why)
{
	if (req->attempt == 0 && strcmp(req->mode, "fresh") == 0) {
		say_warning(why);
		ckpt_text_copy(d->mode, sizeof(d->mode), "fresh");
		ckpt_text_copy(d->reason, sizeof(d->reason), req->reason);
		ckpt_text_copy(d->env_names, sizeof(d->env_names), req->env_names);
		ckpt_text_copy(d->line, sizeof(d->line), "starting afresh, as asked");
		return conclude(d);
	}
	dprintf(STDERR_FILENO,
		"ckpt-resume: attempt %" PRId64 ": could not find out what to resume from: %s. "
		"The script was not started, so that no progress is lost; requeue the job once the "
		"cause is mended\n",
		req->attempt, why);
	return refuse(CKPT_REFUSE_UNKNOWN);
}

static struct ckpt_ending conclude_signal(int sig)
{
	dprintf(STDERR_FILENO,
		"ckpt-resume: interrupted by signal %d before a decision; the script was not "
		"started\n",
		sig);
	return (struct ckpt_ending) { .signal = sig };
}

static struct ckpt_ending run_agent(const struct ckpt_asking *asking, struct ckpt_request *req,
				    struct ckpt_decision *ret)
{
	const struct ckpt_launch how = { .agent = asking->site->agent, .op = "resolve" };
	struct ckpt_error err = { 0 };
	struct ckpt_launch_end end = { 0 };
	int r = ckpt_launch_agent(&how, req, ret, &end, &err);

	if (r == -EPIPE && end.signal && !end.timed_out)
		return conclude_signal(end.signal);
	if (r < 0)
		memset(ret, 0, sizeof(*ret));
	ret->job_id = asking->job_id;
	ret->attempt = asking->attempt;
	return r < 0 ? conclude_unknown(req, ret, err.text) : conclude(ret);
}

struct ckpt_ending ckpt_ask(const struct ckpt_asking *asking, struct ckpt_decision *ret)
{
	_cleanup_free_ struct ckpt_request *req = calloc(1, sizeof(*req));
	struct ckpt_error err = { 0 };
	int r;

	if (!req) {
		ckpt_ask_say("no memory for a decision; the script was not started");
		return refuse(CKPT_REFUSE_UNKNOWN);
	}
	r = ckpt_ask_request(req, asking, &err);
	if (r == 0)
		return run_agent(asking, req, ret);
	ret->job_id = asking->job_id;
	ret->attempt = asking->attempt;
	if (r == -ESTALE)
		return conclude_unknown(req, ret, err.text);
	ckpt_ask_say(err.text);
	return refuse(CKPT_REFUSE_OPTION);
}

/* How to start an agent that only follows a decision, by @op. */
static struct ckpt_launch follower(const struct ckpt_site *site, const char *op)
{
	int64_t budget_ns = site->step_budget_ms * 1000000;

	return (struct ckpt_launch) {
		.agent = site->agent,
		.op = op,
		.deadline_ns = budget_ns ? ckpt_frame_now_ns() + budget_ns : 0,
	};
}

/* Law 11: interrupted before the pointers follow the decision, the script would follow the old
 * ones. */
static struct ckpt_ending settle(const struct ckpt_asking *asking,
				 const struct ckpt_decision *before)
{
	_cleanup_free_ struct ckpt_request *req = calloc(1, sizeof(*req));
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct ckpt_launch how = follower(asking->site, "settle");
	struct ckpt_error err = { .text = "no memory" };
	struct ckpt_launch_end end = { 0 };
	int r = -ENOMEM;

	if (req && d)
		r = ckpt_ask_request(req, asking, &err);
	if (r == 0) {
		ckpt_text_copy(req->decided, sizeof(req->decided), before->path);
		r = ckpt_launch_agent(&how, req, d, &end, &err);
	}
	if (r == -EPIPE && end.signal && !end.timed_out)
		return conclude_signal(end.signal);
	if (r < 0)
		say_warning(err.text);
	else if (strcmp(d->warning, before->warning) != 0)
		say_warning(d->warning);
	return (struct ckpt_ending) { .start = true };
}

bool ckpt_ask_claim(const struct ckpt_asking *asking)
{
	_cleanup_free_ struct ckpt_request *req = calloc(1, sizeof(*req));
	_cleanup_free_ struct ckpt_decision *d = calloc(1, sizeof(*d));
	const struct ckpt_launch how = follower(asking->site, "claim");
	struct ckpt_launch_end end = { 0 };

	return req && d && ckpt_ask_request(req, asking, NULL) == 0 &&
	       ckpt_launch_agent(&how, req, d, &end, NULL) == 0;
}

struct ckpt_ending ckpt_ask_settle(const struct ckpt_asking *asking, const struct ckpt_decision *d)
{
	struct ckpt_ending ending = conclude(d);

	if (ending.start && d->settle)
		return settle(asking, d);
	return ending;
}
