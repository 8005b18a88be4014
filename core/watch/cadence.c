/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See cadence.h.
 */
#include "core/watch/cadence.h"

#include <errno.h>
#include <string.h>

#include "core/base/json.h"
#include "core/record/ledger.h"
#include "wire/text.h"

static void take(struct ckpt_cadence *c, int64_t job_id, int64_t attempt, int64_t saved_ns)
{
	bool same = c->begun && c->job_id == job_id && c->attempt == attempt;
	int64_t since;

	if (same &&
	    (__builtin_sub_overflow(saved_ns, c->saved_ns, &since) || since < CKPT_CADENCE_ONE_NS))
		return;
	if (same && since > c->longest_ns)
		c->longest_ns = since;
	c->begun = true;
	c->job_id = job_id;
	c->attempt = attempt;
	c->saved_ns = saved_ns;
}

void ckpt_cadence_take(struct ckpt_cadence *cadence, const struct ckpt_request *req,
		       int64_t saved_ns)
{
	take(cadence, req->job_id, req->attempt, saved_ns);
}

struct learning {
	struct ckpt_cadence *cadence;
	const struct ckpt_request *req;
	const char *run;
};

static bool is_of_run(const struct learning *l, const cJSON *entry, int64_t job_id)
{
	const char *run = ckpt_json_text(entry, "run");

	if (run && *run && *l->run)
		return strcmp(run, l->run) == 0;
	return job_id == l->req->job_id && ckpt_json_is(entry, "cluster", l->req->cluster);
}

/* The mtime at the end of "inode-size-mtime", which is the entry's id. */
static bool time_of(const cJSON *entry, int64_t *ret)
{
	const char *id = ckpt_json_text(entry, "id"), *dash = id ? strrchr(id, '-') : NULL;

	return dash && ckpt_text_int(dash + 1, 1, INT64_MAX, ret);
}

static int learn_entry(void *arg, const cJSON *entry)
{
	const struct learning *l = arg;
	int64_t job_id, attempt, saved_ns;

	if (ckpt_json_is(entry, "event", "checkpoint") && ckpt_json_is(entry, "verdict", "valid") &&
	    ckpt_json_int(entry, "job_id", &job_id) && ckpt_json_int(entry, "attempt", &attempt) &&
	    is_of_run(l, entry, job_id) && time_of(entry, &saved_ns))
		take(l->cadence, job_id, attempt, saved_ns);
	return 0;
}

int ckpt_cadence_learn(struct ckpt_cadence *cadence, const struct ckpt_request *req,
		       const char *run, int statefd)
{
	struct learning l = { cadence, req, run };
	int r = ckpt_ledger_read(statefd, learn_entry, &l, NULL, NULL);

	return r < 0 && r != -ENOENT ? r : 0;
}
