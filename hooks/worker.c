/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See worker.h.
 */
#include "hooks/worker.h"

#include <stdlib.h>

#include "hooks/epilog.h"
#include "hooks/log.h"
#include "hooks/prolog.h"

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
