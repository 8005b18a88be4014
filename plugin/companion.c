/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See companion.h. The companion gets the agent's request and a few facts of the task besides.
 */
#include "plugin/companion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/cleanup.h"
#include "wire/detach.h"

/* What it gets besides the request. */
struct facts {
	char task[40], run[80], end_time[64], conf[CKPT_PATH_MAX + 16];
	const char *list[5];
	size_t n;
};

/* Adds NAME=@value, if there is one and it fits. */
static void add(struct facts *facts, char *buf, size_t size, const char *name, const char *value)
{
	if (value && *value && (size_t)snprintf(buf, size, "%s=%s", name, value) < size)
		facts->list[facts->n++] = buf;
}

static void fill_facts(struct facts *facts, const struct ckpt_asking *asking,
		       const struct ckpt_decision *d)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	add(facts, facts->task, sizeof(facts->task), "CKPT_COMPANION_TASK", pid);
	add(facts, facts->run, sizeof(facts->run), "CKPT_COMPANION_RUN", d->run);
	add(facts, facts->conf, sizeof(facts->conf), "SLURM_CONF", getenv("SLURM_CONF"));
	add(facts, facts->end_time, sizeof(facts->end_time), "SLURM_JOB_END_TIME",
	    asking->lookup(asking->arg, "SLURM_JOB_END_TIME"));
}

static int start(const struct ckpt_asking *asking, const struct ckpt_decision *d, int held,
		 struct ckpt_error *err)
{
	_cleanup_free_ struct ckpt_request *req = calloc(1, sizeof(*req));
	_cleanup_free_ struct facts *facts = calloc(1, sizeof(*facts));
	char program[CKPT_PATH_MAX];
	struct ckpt_detach how = { .program = ckpt_site_companion(asking->site, program),
				   .held = held };
	int r;

	if (!req || !facts)
		return ckpt_fail(err, -ENOMEM, "no memory");
	if (!how.program)
		return ckpt_fail(err, -ENAMETOOLONG, "the path of Agent= is too long");
	r = ckpt_ask_request(req, asking, err);
	if (r < 0)
		return r;
	fill_facts(facts, asking, d);
	how.more = facts->list;
	return ckpt_detach(&how, req, err);
}

void ckpt_companion_start(const struct ckpt_asking *asking, const struct ckpt_decision *d, int held)
{
	struct ckpt_error err = { 0 };

	if (strcmp(asking->site->companion, "no") == 0)
		return;
	if (start(asking, d, held, &err) < 0)
		dprintf(STDERR_FILENO,
			"ckpt-resume: warning: no companion, so checkpoints are not watched: %s\n",
			err.text);
}
