/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See worker.h.
 */
#include "hooks/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hooks/log.h"
#include "wire/text.h"

#define OPTION_PREFIX "SPANK_CKPT_"

static const char *from_env(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

/* What slurmd says of the job and what the site says of hooks. False: nothing is to be done here.
 */
static bool take_facts(struct ckpt_hook *hook)
{
	struct ckpt_error err = { 0 };
	char path[CKPT_PATH_MAX];

	if (ckpt_hook_job_read(&hook->job, &err) != 0) {
		ckpt_log(LOG_INFO, "not handled: %s", err.text);
		return false;
	}
	if (ckpt_site_load(&hook->site, ckpt_site_path(NULL, getenv("SLURM_CONF"), path), &err) <
	    0) {
		ckpt_log(LOG_ERR, "nothing is done until the configuration is mended: %.400s",
			 err.text);
		return false;
	}
	hook->key = (struct ckpt_spool_key) {
		.root = hook->site.spool_dir,
		.cluster = hook->job.cluster,
		.node = hook->job.node,
		.job_id = hook->job.id,
	};
	return !ckpt_site_disabled(&hook->site) &&
	       ckpt_site_partition(&hook->site, hook->job.partition);
}

void ckpt_hook_work(struct ckpt_supervise_clock *clock, void *arg)
{
	struct ckpt_hook *hook = arg;

	if (!take_facts(hook))
		return;
	hook->deadline_ns = ckpt_supervise_grant(clock, hook->epilog ? hook->site.epilog_budget_ms
								     : hook->site.prolog_budget_ms);
	if (hook->epilog)
		ckpt_hook_epilog(hook);
	else
		ckpt_hook_prolog(hook);
}

int ckpt_hook_request(const struct ckpt_hook *hook, struct ckpt_request *req,
		      struct ckpt_error *err)
{
	const struct ckpt_hook_job *job = &hook->job;
	int r;

	ckpt_request_init(req);
	r = ckpt_request_options_from_env(req, OPTION_PREFIX, from_env, NULL, err);
	if (r < 0)
		return r;
	ckpt_site_into_request(&hook->site, req);
	req->job_id = job->id;
	req->attempt = job->attempt;
	req->in_hook = 1;
	if (ckpt_text_has_control(job->work_dir) || ckpt_text_has_control(job->user) ||
	    !ckpt_text_copy(req->work_dir, sizeof(req->work_dir), job->work_dir) ||
	    !ckpt_text_copy(req->user, sizeof(req->user), job->user) ||
	    !ckpt_text_copy(req->cluster, sizeof(req->cluster), job->cluster) ||
	    !ckpt_text_copy(req->node, sizeof(req->node), job->node))
		return ckpt_fail(err, -EINVAL,
				 "the work directory or a name of the job is too long or holds "
				 "control characters");
	return 0;
}

static bool has_unknown_letter(const char *text)
{
	for (const char *p = strchr(text, '%'); p && p[1]; p = strchr(p + 2, '%'))
		if (strchr("aAx", p[1]))
			return true;
	return false;
}

bool ckpt_hook_needs_identity(const struct ckpt_request *req)
{
	return !req->dirs[0] || has_unknown_letter(req->dirs) || has_unknown_letter(req->state) ||
	       has_unknown_letter(req->config);
}
