/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See policy.h. The first row that fits wins; where none does, Slurm's own way is left alone.
 */
#include "hooks/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Row features besides the list's causes. */
#define LISTED_CODE (1U << 8)	/* the exit code is in the list */
#define HELD_BY_LIMIT (1U << 9) /* Slurm holds it for too many requeues of this kind */
#define PROGRESS (1U << 10)
#define WANTED_STALL (1U << 11) /* its companion noted a requeue, and ended before it was made */
#define WANTED_LIMIT (1U << 12)

struct row {
	enum ckpt_cause cause; /* CKPT_CAUSE_UNKNOWN: any */
	const char *state;     /* "ended": completed, failed or timeout */
	unsigned all;	       /* every one of these features */
	enum ckpt_policy_action action;
	const char *why;
};

static const struct row rows[] = {
	/* before 24.05 Slurm calls a job that leaves in its grace time completed, or failed */
	{ CKPT_CAUSE_PREEMPTED, "ended", CKPT_REQUEUE_PREEMPT, CKPT_POLICY_REQUEUE, "preempt" },
	{ CKPT_CAUSE_TIME_LIMIT, "timeout", CKPT_REQUEUE_TIME_LIMIT, CKPT_POLICY_REQUEUE,
	  "time-limit" },
	{ CKPT_CAUSE_EXIT_CODE, "failed", LISTED_CODE, CKPT_POLICY_REQUEUE, "exit" },
	{ CKPT_CAUSE_UNKNOWN, "ended", WANTED_STALL, CKPT_POLICY_REQUEUE, "stall" },
	{ CKPT_CAUSE_UNKNOWN, "ended", WANTED_LIMIT, CKPT_POLICY_REQUEUE, "time-limit" },
	/* since 24.05 it requeues those itself, and holds them after some (JobHoldMaxRequeue) */
	{ CKPT_CAUSE_PREEMPTED, "pending", CKPT_REQUEUE_PREEMPT | HELD_BY_LIMIT | PROGRESS,
	  CKPT_POLICY_RELEASE, "preempt" },
};

static bool is_ended(const char *state)
{
	return strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "timeout") == 0;
}

/* Ending here, in this attempt: then, and only then, a requeue of ours is not one too many. */
static bool is_ours_to_requeue(const struct ckpt_policy_facts *f)
{
	return f->info->completing && f->info->restart == f->attempt && !f->info->no_requeue &&
	       strcmp(f->info->host, f->node) == 0 && is_ended(f->info->state);
}

/* Ended by somebody else, once: without a record too it is no loop of the job's own. */
static bool is_of_others(const struct ckpt_policy_facts *f)
{
	return f->cause == CKPT_CAUSE_PREEMPTED;
}

/* Put back into the queue after this attempt, and waiting for its epilogs. */
static bool waits_again(const struct ckpt_policy_facts *f)
{
	return f->info->completing && f->info->restart == f->attempt + 1 &&
	       strcmp(f->info->state, "pending") == 0;
}

static unsigned features(const struct ckpt_policy_facts *f)
{
	int status = (int)f->batch_status;
	unsigned found = f->wants->causes;

	if (WIFEXITED(status) && ckpt_requeue_has_code(f->wants, WEXITSTATUS(status)))
		found |= LISTED_CODE;
	if (strcmp(f->info->held, "max-requeue") == 0)
		found |= HELD_BY_LIMIT;
	if (f->progress)
		found |= PROGRESS;
	if (f->wanted && strcmp(f->wanted, "stall") == 0)
		found |= WANTED_STALL;
	if (f->wanted && strcmp(f->wanted, "time-limit") == 0)
		found |= WANTED_LIMIT;
	return found;
}

static bool fits(const struct row *row, const struct ckpt_policy_facts *f)
{
	bool state = strcmp(row->state, "ended") == 0 ? is_ended(f->info->state)
						      : strcmp(row->state, f->info->state) == 0;

	return (row->cause == f->cause || row->cause == CKPT_CAUSE_UNKNOWN) && state &&
	       (row->all & ~features(f)) == 0;
}

static bool is_beyond_site(const struct ckpt_policy_facts *f)
{
	return f->site_max && f->attempt + 1 > f->site_max;
}

/* Why the job should not start again, in @buf; false where it may. */
static bool is_spent(const struct ckpt_policy_facts *f, char *buf, size_t size)
{
	if (is_beyond_site(f))
		snprintf(buf, size,
			 "the site's MaxRestarts=%" PRId64 " reached; a new job in the same "
			 "directory goes on",
			 f->site_max);
	else if (f->own_max && f->restarts + 1 > f->own_max)
		snprintf(buf, size, "--ckpt-max-restarts=%" PRId64 " used up", f->own_max);
	else if (f->faults >= CKPT_REQUEUE_FAULTS)
		snprintf(buf, size, "%" PRId64 " attempts in a row ended without a new checkpoint",
			 f->faults);
	else if (f->repeats >= CKPT_REQUEUE_REPEATS)
		snprintf(buf, size,
			 "%" PRId64 " attempts failed in the same way at the same checkpoint",
			 f->repeats);
	else
		return false;
	return true;
}

static struct ckpt_policy hold_if_spent(const struct ckpt_policy_facts *f, struct ckpt_policy else_)
{
	struct ckpt_policy policy = { .action = CKPT_POLICY_HOLD, .why = "budget" };

	policy.go_on = !is_beyond_site(f);
	return is_spent(f, policy.reason, sizeof(policy.reason)) ? policy : else_;
}

struct ckpt_policy ckpt_policy_decide(const struct ckpt_policy_facts *f)
{
	struct ckpt_policy policy = { .action = CKPT_POLICY_NOTHING };

	if (!f->info)
		return policy;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !policy.why; i++)
		if (fits(&rows[i], f))
			policy = (struct ckpt_policy) { .action = rows[i].action,
							.why = rows[i].why };
	if (waits_again(f) && (!f->info->held[0] || policy.action == CKPT_POLICY_RELEASE))
		return hold_if_spent(f, policy);
	if (policy.action == CKPT_POLICY_NOTHING)
		return policy;
	if (policy.action == CKPT_POLICY_REQUEUE && is_ours_to_requeue(f)) {
		policy = hold_if_spent(f, policy);
		if (policy.action == CKPT_POLICY_HOLD || f->recorded || is_of_others(f))
			return policy;
		snprintf(policy.reason, sizeof(policy.reason),
			 "its end could not be recorded, and what is not recorded could go on for "
			 "ever");
	}
	policy.action = CKPT_POLICY_NOTHING;
	return policy;
}
