/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The prolog: notes the attempt in the spool, and lets the agent decide early where that can be
 * known here. A missing decision costs nothing but time: the step then decides itself. So only what
 * is proved is stored, and the one thing that root says of its own: MaxRestarts.
 */
#include "hooks/prolog.h"

#include <stdio.h>
#include <string.h>

#include "hooks/agent.h"
#include "hooks/log.h"
#include "wire/text.h"

static void put(const struct ckpt_hook *hook, const struct ckpt_decision *d)
{
	struct ckpt_error err = { 0 };

	if (ckpt_spool_put_decision(&hook->key, d, &err) < 0)
		ckpt_log(LOG_ERR, "%.400s", err.text);
}

/* The refusal that ends an attempt beyond MaxRestarts; nothing in it comes from the user. */
static bool refuse_beyond_max(const struct ckpt_hook *hook)
{
	struct ckpt_decision d = {
		.mode = "refused",
		.refusal = CKPT_REFUSE_OPTION,
		.attempt = hook->job.attempt,
		.job_id = hook->job.id,
	};

	if (!hook->site.max_restarts || hook->job.attempt <= hook->site.max_restarts)
		return false;
	snprintf(d.line, sizeof(d.line),
		 "attempt %lld: MaxRestarts=%lld reached, this job is not started again",
		 (long long)hook->job.attempt, (long long)hook->site.max_restarts);
	put(hook, &d);
	ckpt_log(LOG_NOTICE, "%s", d.line);
	return true;
}

/* Whether this is the prolog that decides: the batch host's, at the attempts that the site chose.
 */
static bool is_due(const struct ckpt_hook *hook)
{
	switch (hook->site.prolog_resolve) {
	case CKPT_PROLOG_OFF:
		return false;
	case CKPT_PROLOG_REQUEUE:
		if (hook->job.attempt == 0)
			return false;
		break;
	case CKPT_PROLOG_ALWAYS:
		break;
	}
	return ckpt_hook_job_is_batch_host(&hook->job);
}

static void decide(const struct ckpt_hook *hook)
{
	struct ckpt_error err = { 0 };
	struct ckpt_request req;
	struct ckpt_decision d;

	if (ckpt_hook_request(hook, &req, &err) < 0) {
		ckpt_log(LOG_WARNING, "the job's options are refused: %.400s", err.text);
		return;
	}
	if (ckpt_hook_needs_identity(&req))
		return;
	if (hook->job.attempt == 0)
		ckpt_text_copy(req.reason, sizeof(req.reason), "first-start");
	if (ckpt_hook_agent(hook, "resolve", &req, &d) < 0)
		return;
	if (strcmp(d.mode, "resume") != 0) {
		ckpt_log(LOG_INFO, "attempt %lld: left to the step (%s)",
			 (long long)hook->job.attempt, d.mode);
		return;
	}
	put(hook, &d);
	ckpt_log(LOG_INFO, "attempt %lld: resume from %s (%s)", (long long)hook->job.attempt,
		 CKPT_LOG_QUOTE(d.path), CKPT_LOG_QUOTE(d.evidence));
}

void ckpt_hook_prolog(const struct ckpt_hook *hook)
{
	struct ckpt_error err = { 0 };

	ckpt_spool_sweep(&hook->key, hook->site.spool_age_s);
	if (ckpt_spool_begin(&hook->key, hook->job.attempt, &err) < 0) {
		ckpt_log(LOG_ERR, "%.400s", err.text);
		return;
	}
	if (!refuse_beyond_max(hook) && is_due(hook))
		decide(hook);
}
