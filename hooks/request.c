/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See request.h.
 */
#include "hooks/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define OPTION_PREFIX "SPANK_CKPT_"

static const char *from_env(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
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
