/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See cause.h. Slurm zeroes a job's exit code at every start and sets it only when the batch script
 * ended by itself, so "0:0" covers success, cancelling, time limit, preemption and node failure
 * alike; the restart count shows a requeue only where the terminate message was built after it. The
 * first row that fits wins.
 */
#include "hooks/cause.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>

#include "wire/requeue.h"
#include "wire/text.h"

#define ROW(member, kind, lo, hi)                                                                  \
	{                                                                                          \
		.key = #member, .type = (kind), .offset = offsetof(struct ckpt_jobinfo, member),   \
		.size = sizeof(((struct ckpt_jobinfo *)0)->member), .min = (lo), .max = (hi),      \
	}

static const struct ckpt_field info_rows[] = {
	ROW(job, CKPT_FIELD_INT, 1, UINT32_MAX),
	ROW(state, CKPT_FIELD_WORD, 0, 0),
	ROW(completing, CKPT_FIELD_INT, 0, 1),
	ROW(restart, CKPT_FIELD_INT, 0, UINT32_MAX),
	ROW(preempt, CKPT_FIELD_INT, 0, INT64_MAX),
	ROW(array_job, CKPT_FIELD_INT, 0, UINT32_MAX),
	ROW(array_task, CKPT_FIELD_INT, 0, UINT32_MAX),
	ROW(name, CKPT_FIELD_WORD, 0, 0),
	ROW(host, CKPT_FIELD_WORD, 0, 0),
	ROW(held, CKPT_FIELD_WORD, 0, 0),
	ROW(no_requeue, CKPT_FIELD_INT, 0, 1),
	ROW(commented, CKPT_FIELD_INT, 0, 1),
	ROW(end, CKPT_FIELD_INT, 1, 1),
};

const struct ckpt_fields ckpt_jobinfo_fields = {
	.rows = info_rows,
	.n = sizeof(info_rows) / sizeof(info_rows[0]),
};

static const char *const names[] = {
	[CKPT_CAUSE_UNKNOWN] = "unknown",
	[CKPT_CAUSE_FINISHED] = "finished",
	[CKPT_CAUSE_EXIT_CODE] = "exit-code",
	[CKPT_CAUSE_SIGNAL] = "signal",
	[CKPT_CAUSE_OOM] = "oom",
	[CKPT_CAUSE_CANCELLED] = "cancelled",
	[CKPT_CAUSE_TIME_LIMIT] = "time-limit",
	[CKPT_CAUSE_PREEMPTED] = "preempted",
	[CKPT_CAUSE_REQUEUED] = "requeued",
	[CKPT_CAUSE_NODE_FAIL] = "node-fail",
	[CKPT_CAUSE_STALLED] = "stalled",
};

const char *ckpt_cause_name(enum ckpt_cause cause)
{
	return names[cause];
}

enum ckpt_cause ckpt_cause_noted(enum ckpt_cause cause, const char *why)
{
	const char *word = ckpt_requeue_cause(why, names[cause]);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], word) == 0)
			return (enum ckpt_cause)i;
	return cause;
}

/* Features of the facts, as bits that a row can ask for. */
enum {
	SAME = 1 << 0,	  /* the count is the attempt's */
	NEXT = 1 << 1,	  /* one more: it was requeued before the message was built */
	ZERO = 1 << 2,	  /* exit code 0:0 */
	CODE = 1 << 3,	  /* N:0 */
	SIG = 1 << 4,	  /* 0:S */
	CRASH = 1 << 5,	  /* 0:S with a signal that a program brings upon itself */
	OOM = 1 << 6,	  /* 0:125 */
	CLEAN = 1 << 7,	  /* the batch task itself ended with 0 */
	MANY = 1 << 8,	  /* more than one node, or not known to be one */
	PREEMPT = 1 << 9, /* slurmctld: a preemption is under way */
	LOST = 1 << 10,	  /* 0:1, slurmctld's own word for a lost node: the script had no SIGHUP */
	DIED = 1 << 11,	  /* the batch task itself ended by a signal */
};

#define SLURM_OOM_SIGNAL 125

struct row {
	const char *state; /* slurmctld's answer; NULL: there is none; "*": any */
	int all;	   /* every one of these features */
	enum ckpt_cause cause;
	bool certain;
};

static const struct row rows[] = {
	/* without an answer */
	/* or a trap left with 0: at the time limit, at scancel, in the grace period */
	{ NULL, SAME | ZERO | CLEAN, CKPT_CAUSE_FINISHED, false },
	{ NULL, SAME | OOM, CKPT_CAUSE_OOM, true },
	{ NULL, SAME | CRASH, CKPT_CAUSE_SIGNAL, true },
	{ NULL, SAME | CODE, CKPT_CAUSE_EXIT_CODE, false }, /* or left during the grace period */
	{ NULL, SAME | SIG, CKPT_CAUSE_SIGNAL, false },	    /* the same */
	{ NULL, NEXT, CKPT_CAUSE_REQUEUED, false },	    /* or preempted, or held */
	{ NULL, 0, CKPT_CAUSE_UNKNOWN, false },
	/* with one */
	{ "cancelled", 0, CKPT_CAUSE_CANCELLED, true },
	{ "*", PREEMPT, CKPT_CAUSE_PREEMPTED, true },
	{ "preempted", 0, CKPT_CAUSE_PREEMPTED, true },
	{ "timeout", 0, CKPT_CAUSE_TIME_LIMIT, true },
	{ "deadline", 0, CKPT_CAUSE_TIME_LIMIT, true },
	{ "node-fail", 0, CKPT_CAUSE_NODE_FAIL, true },
	{ "boot-fail", 0, CKPT_CAUSE_NODE_FAIL, true },
	{ "out-of-memory", 0, CKPT_CAUSE_OOM, true },
	{ "completed", 0, CKPT_CAUSE_FINISHED, true },
	{ "failed", OOM, CKPT_CAUSE_OOM, true },
	{ "failed", CRASH, CKPT_CAUSE_SIGNAL, true },
	{ "failed", SIG, CKPT_CAUSE_SIGNAL, true },
	{ "failed", ZERO | DIED, CKPT_CAUSE_SIGNAL, true }, /* the start's code: RunInJob */
	{ "failed", 0, CKPT_CAUSE_EXIT_CODE, true },
	{ "pending", NEXT, CKPT_CAUSE_REQUEUED, true },
	{ "pending", SAME | CODE, CKPT_CAUSE_EXIT_CODE, true }, /* requeued after its own end */
	{ "pending", SAME | OOM, CKPT_CAUSE_OOM, true },
	{ "pending", SAME | CRASH, CKPT_CAUSE_SIGNAL, true },
	{ "pending", SAME | LOST, CKPT_CAUSE_NODE_FAIL, true },
	{ "pending", SAME | SIG, CKPT_CAUSE_SIGNAL, true },
	{ "pending", SAME | CLEAN, CKPT_CAUSE_REQUEUED, true },
	{ "pending", SAME | MANY, CKPT_CAUSE_NODE_FAIL, true }, /* counted after the message */
	{ "pending", SAME, CKPT_CAUSE_REQUEUED, true },
	{ "*", 0, CKPT_CAUSE_UNKNOWN, true },
};

/* "CODE:SIGNAL" as a feature; 0 when it is absent or malformed. */
static int exit_feature(const char *text)
{
	char number[8];
	const char *colon = strchr(text, ':');
	int64_t code, sig;

	if (!colon || (size_t)(colon - text) >= sizeof(number))
		return 0;
	memcpy(number, text, (size_t)(colon - text));
	number[colon - text] = '\0';
	if (!ckpt_text_int(number, 0, 255, &code) || !ckpt_text_int(colon + 1, 0, 255, &sig))
		return 0;
	switch (sig) {
	case 0:
		return code ? CODE : ZERO;
	case SLURM_OOM_SIGNAL:
		return OOM;
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGABRT:
	case SIGSYS:
	case SIGTRAP:
		return CRASH;
	default:
		return SIG;
	}
}

/* Since 24.11 kill_running_job_by_node_name() (slurmctld/job_mgr.c) sets the exit code to 1, a raw
 * wait status, before the message is built. A script's own end by SIGHUP is in the spool too. */
static bool is_lost(const struct ckpt_cause_facts *facts)
{
	int status = (int)facts->batch_status;

	return strcmp(facts->exit_code, "0:1") == 0 &&
	       !(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}

static int features(const struct ckpt_cause_facts *facts)
{
	int found = exit_feature(facts->exit_code);

	if (is_lost(facts))
		found |= LOST;
	found |= facts->count == facts->attempt ? SAME : NEXT;
	if (facts->batch_status == 0)
		found |= CLEAN;
	if (WIFSIGNALED((int)facts->batch_status))
		found |= DIED;
	if (facts->num_nodes != 1)
		found |= MANY;
	if (facts->info && facts->info->preempt)
		found |= PREEMPT;
	return found;
}

static bool fits(const struct row *row, const char *state, int found)
{
	if (!row->state || !state)
		return !row->state && !state && (row->all & ~found) == 0;
	return (strcmp(row->state, "*") == 0 || strcmp(row->state, state) == 0) &&
	       (row->all & ~found) == 0;
}

/*
 * Whether the run directory can be nobody else's now. Without an answer only an unchanged count
 * shows it: one more may also be the message to a node that came back after the job had moved on.
 * With one, a job that was requeued must still wait for its epilogs: any other state is a later
 * attempt's, alive or ending elsewhere.
 */
static bool is_ours(const struct ckpt_cause_facts *facts)
{
	const struct ckpt_jobinfo *info = facts->info;
	bool pending;

	if (!facts->this_boot)
		return false;
	if (!info)
		return facts->count == facts->attempt;
	pending = strcmp(info->state, "pending") == 0;
	if (info->restart == facts->attempt + 1)
		return pending && info->completing;
	if (info->restart != facts->attempt)
		return false;
	return info->completing || (!pending && strcmp(info->state, "running") != 0 &&
				    strcmp(info->state, "suspended") != 0);
}

struct ckpt_cause_finding ckpt_cause_find(const struct ckpt_cause_facts *facts)
{
	struct ckpt_cause_finding finding = { .cause = CKPT_CAUSE_UNKNOWN, .certain = true };
	const char *state = facts->info ? facts->info->state : NULL;
	const struct row *row = rows;
	int found;

	if (facts->count != facts->attempt && facts->count != facts->attempt + 1)
		return finding;
	found = features(facts);
	while (!fits(row, state, found))
		row++; /* the last row of each half fits all */
	finding.cause = row->cause;
	finding.certain = row->certain;
	finding.ours = is_ours(facts);
	finding.finished = row->cause == CKPT_CAUSE_FINISHED && finding.ours &&
			   facts->batch_status == 0 && facts->count == facts->attempt &&
			   (state || (facts->plain_zero && facts->num_nodes == 1));
	return finding;
}
