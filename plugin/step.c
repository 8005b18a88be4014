/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See step.h. What root read in ckpt_step_begin() reaches the task by the fork; what the task has
 * to tell root comes back over one shared mapping, which root takes field by field like anything
 * that comes from a user, and only to hand it to the agent of that user.
 */
#include "plugin/step.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "plugin/ask.h"
#include "plugin/companion.h"
#include "wire/cleanup.h"
#include "wire/frame.h"
#include "wire/spool.h"
#include "wire/text.h"

/* As in <slurm/slurm.h>, the same in all releases. */
#define BATCH_STEP 0xfffffffbU
#define NO_NUMBER 0xfffffffeU

#define COMPANION_MS 500 /* for the companion to end with its task */
#define LEAVE_NS 2000000 /* from the close of its last descriptor to its leaving the group */

/* From the batch task to root, over a shared mapping. The user's process could write here. */
struct report {
	int64_t attempt; /* -1: no decision was due */
	int refused;
	struct ckpt_decision decision; /* for the epilog: which run directories */
};

static struct {
	bool begun;	/* a batch step whose job asked */
	bool disabled;	/* the kill switch */
	bool has_spool; /* written for this boot: then `spool` and `decision` hold */
	struct ckpt_site site;
	char cluster[64], node[256];
	struct ckpt_spool_state spool;
	struct ckpt_decision decision;
	struct report *report;
	pid_t pid;    /* slurmstepd's */
	int alive[2]; /* a pipe: the companion holds the end for writing; or 0, 0 */
} step;

/* One byte more than any field holds, so that a cut value is too long for its field. */
static char value_buf[CKPT_REQUEST_DIRS_MAX + 1];

static const char *lookup(void *arg, const char *name)
{
	spank_err_t r = spank_getenv(arg, name, value_buf, sizeof(value_buf));

	return r == ESPANK_SUCCESS || r == ESPANK_NOSPACE ? value_buf : NULL;
}

static bool is_batch(spank_t sp)
{
	uint32_t id;

	return spank_get_item(sp, S_JOB_STEPID, &id) == ESPANK_SUCCESS && id == BATCH_STEP;
}

static int64_t job_id_of(spank_t sp)
{
	uint32_t id = 0;

	return spank_get_item(sp, S_JOB_ID, &id) == ESPANK_SUCCESS ? id : 0;
}

static struct ckpt_spool_key spool_key(spank_t sp)
{
	return (struct ckpt_spool_key) { .root = step.site.spool_dir,
					 .cluster = step.cluster,
					 .node = step.node,
					 .job_id = job_id_of(sp) };
}

static void read_spool(spank_t sp)
{
	const struct ckpt_spool_key key = spool_key(sp);
	struct ckpt_error err = { 0 };
	int r = ckpt_spool_read(&key, &step.spool, &step.decision, &err);

	step.has_spool = r == 0 && step.spool.this_boot;
	if (step.has_spool)
		r = ckpt_spool_put_started(&key, &err);
	if (r < 0 && r != -ENOENT)
		slurm_error("ckpt-resume: %s", err.text);
}

static void map_report(void)
{
	void *page = mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	step.report = page;
	step.report->attempt = -1;
}

void ckpt_step_begin(spank_t sp, int ac, char *argv[])
{
	const char *cluster, *node = getenv("SLURMD_NODENAME");

	if (!is_batch(sp) || !lookup(sp, CKPT_OPTION "RESUME"))
		return;
	step.begun = true;
	step.pid = getpid();
	step.disabled = !ckpt_ask_site(&step.site, ac, argv);
	if (step.disabled)
		return;
	spank_unsetenv(sp, "SLURM_RESTART_COUNT"); /* the user's; Slurm's own comes later */
	map_report();
	if (pipe2(step.alive, O_CLOEXEC) < 0)
		step.alive[0] = step.alive[1] = 0;
	cluster = lookup(sp, "SLURM_CLUSTER_NAME");
	if (!cluster || !ckpt_text_is_word(cluster) || !node ||
	    !ckpt_text_copy(step.cluster, sizeof(step.cluster), cluster) ||
	    !ckpt_text_copy(step.node, sizeof(step.node), node))
		return;
	read_spool(sp);
}

/* Removes the decision's variables of whatever job from the environment. */
static void drop_decision(spank_t sp)
{
	for (const char *const *name = ckpt_decision_names; *name; name++)
		spank_unsetenv(sp, *name);
	for (size_t i = 0; i < ckpt_decision_fields.n; i++) {
		char name[64];

		if (!ckpt_decision_fields.rows[i].env)
			continue;
		snprintf(name, sizeof(name), CKPT_CARRIER "%s", ckpt_decision_fields.rows[i].env);
		spank_unsetenv(sp, name);
	}
}

/* True if the variable @name is there and names another job. */
static bool is_foreign(spank_t sp, const char *name, int64_t job_id)
{
	const char *owner = lookup(sp, name);
	int64_t id;

	return owner && !(ckpt_text_int(owner, 0, UINT32_MAX, &id) && id == job_id);
}

/*
 * Drops what belongs to another job. True if carriers did: the submit side, which drops them before
 * it looks at options, was not there, and so the options are another job's too.
 */
static bool drop_foreign(spank_t sp, int64_t job_id)
{
	bool carriers = is_foreign(sp, CKPT_CARRIER "JOB", job_id);

	if (carriers || is_foreign(sp, "CKPT_JOB", job_id))
		drop_decision(sp);
	return carriers;
}

static int set_variable(void *arg, const char *name, const char *value)
{
	return spank_setenv(arg, name, value, 1) == ESPANK_SUCCESS ? 0 : -EINVAL;
}

static int set_missing(void *arg, const char *name, const char *value)
{
	spank_err_t r = spank_setenv(arg, name, value, 0);

	return r == ESPANK_SUCCESS || r == ESPANK_ENV_EXISTS ? 0 : -EINVAL;
}

/* Ends the task here; the script has not started. */
__attribute__((noreturn)) static void stop_task(const struct ckpt_ending *ending)
{
	sigset_t one;

	if (ending->refused && step.report)
		step.report->refused = 1;
	if (ending->signal) {
		signal(ending->signal, SIG_DFL);
		sigemptyset(&one);
		sigaddset(&one, ending->signal);
		sigprocmask(SIG_UNBLOCK, &one, NULL);
		kill(getpid(), ending->signal);
		_exit(128 + ending->signal);
	}
	_exit(ending->code);
}

/*
 * The higher of Slurm's count in the task's environment and the spool's. An older spool is one
 * whose prolog did not run this time: slurmd forgets requeued jobs at most every two seconds
 * (slurm_cred.c, _clear_expired_job_states), and runs none for a job that it still knows. A lower
 * count is one that something after Slurm has changed.
 */
static int64_t attempt_of(spank_t sp)
{
	const char *count = lookup(sp, "SLURM_RESTART_COUNT");
	int64_t attempt = 0;

	if (count)
		ckpt_text_int(count, 0, UINT32_MAX, &attempt);
	return step.has_spool && step.spool.attempt > attempt ? step.spool.attempt : attempt;
}

static void fill_array(spank_t sp, struct ckpt_asking *asking)
{
	uint32_t job = 0, task = NO_NUMBER;

	spank_get_item(sp, S_JOB_ARRAY_ID, &job);
	spank_get_item(sp, S_JOB_ARRAY_TASK_ID, &task);
	if (job == 0 || task == NO_NUMBER)
		return;
	asking->array_job = job;
	asking->array_task = task;
}

static bool is_refused(const struct ckpt_decision *d)
{
	return strcmp(d->mode, "refused") == 0;
}

/*
 * Whether the spool's decision is for this attempt. The prolog cannot see arrays: whether their
 * tasks have run directories of their own is the agent's to check. A refusal is of root and holds
 * for them too.
 */
static bool spool_decides(const struct ckpt_asking *asking)
{
	return step.has_spool && step.spool.has_decision && step.spool.attempt == asking->attempt &&
	       (asking->array_task == CKPT_REQUEST_NO_TASK || is_refused(&step.decision));
}

/* One decision for this attempt: the prolog's, or one made now. */
static void decide(spank_t sp, int64_t job_id)
{
	struct ckpt_asking asking = { .site = &step.site,
				      .lookup = lookup,
				      .arg = sp,
				      .job_id = job_id,
				      .attempt = attempt_of(sp),
				      .companion = strcmp(step.site.companion, "no") != 0,
				      .array_task = CKPT_REQUEST_NO_TASK };
	struct ckpt_ending ending;

	asking.hooks = step.has_spool && step.spool.attempt == asking.attempt;
	fill_array(sp, &asking);
	if (step.report)
		step.report->attempt = asking.attempt;
	if (spool_decides(&asking) &&
	    (!asking.companion || is_refused(&step.decision) || ckpt_ask_claim(&asking)))
		ending = ckpt_ask_settle(&asking, &step.decision);
	else
		ending = ckpt_ask(&asking, &step.decision);
	if (step.report && (ending.start || step.decision.refusal == CKPT_REFUSE_BUSY))
		step.report->decision = step.decision;
	if (!ending.start)
		stop_task(&ending);
	if (ckpt_decision_export(&step.decision, 1, set_variable, sp) < 0) {
		ckpt_ask_say("the decision's variables cannot be set; the script was not started");
		stop_task(&(struct ckpt_ending) { .refused = true, .code = CKPT_REFUSE_UNKNOWN });
	}
	ckpt_companion_start(&asking, &step.decision, step.alive[1]);
}

/* Removes the options, so that no srun of this job takes them for its own. */
static void drop_options(spank_t sp)
{
	for (size_t i = 0; i < ckpt_request_fields.n; i++) {
		char name[64];

		snprintf(name, sizeof(name), CKPT_OPTION "%s", ckpt_request_fields.rows[i].env);
		spank_unsetenv(sp, name);
	}
	spank_unsetenv(sp, "SLURM_SPANK__SLURM_SPANK_OPTION_ckpt_ckpt_resume");
}

static void refuse_inherited(spank_t sp)
{
	drop_options(sp);
	ckpt_ask_say("warning: --ckpt-resume was inherited from the job that submitted this one "
		     "and is ignored; give it to this job if it is meant");
}

static void batch_task(spank_t sp, int64_t job_id)
{
	bool foreign = drop_foreign(sp, job_id);

	if (!step.begun)
		return;
	if (foreign)
		refuse_inherited(sp);
	else if (step.disabled)
		ckpt_ask_say(CKPT_SWITCHED_OFF);
	else
		decide(sp, job_id);
}

/* A task of srun: gets what was decided, never decides. */
static void srun_task(spank_t sp, int64_t job_id)
{
	const char *stop = lookup(sp, CKPT_STOP);
	struct ckpt_decision d = { 0 };
	int64_t code;

	drop_foreign(sp, job_id);
	if (stop && ckpt_text_int(stop, 0, 255, &code))
		_exit((int)code); /* srun has said why */
	if (ckpt_decision_from_carriers(&d, lookup, sp, NULL) == 0)
		ckpt_decision_export(&d, 0, set_missing, sp);
}

void ckpt_step_task(spank_t sp)
{
	int64_t job_id = job_id_of(sp);

	if (is_batch(sp))
		batch_task(sp, job_id);
	else
		srun_task(sp, job_id);
}

/* Stores what the task decided, if it is one: taken apart and put together again by the table's
 * rules. */
static void keep_decision(const struct ckpt_spool_key *key)
{
	_cleanup_free_ struct ckpt_decision *raw = malloc(sizeof(*raw)), *d = calloc(1, sizeof(*d));
	_cleanup_free_ char *wire = malloc(CKPT_FRAME_MAX);
	struct ckpt_error err = { 0 };
	long len;

	if (!raw || !d || !wire)
		return;
	*raw = step.report->decision;
	ckpt_fields_terminate(&ckpt_decision_fields, raw);
	len = ckpt_fields_encode(&ckpt_decision_fields, raw, wire, CKPT_FRAME_MAX);
	if (len <= 0 || ckpt_fields_decode(&ckpt_decision_fields, d, wire, (size_t)len, &err) < 0 ||
	    ckpt_decision_check(d, &err) < 0 || !d->dirs[0])
		return;
	if (ckpt_spool_put_decision(key, d, &err) < 0)
		slurm_error("ckpt-resume: %s", err.text);
}

/*
 * Behind this hook slurmstepd kills what is left of the step, and where it keeps it in a control
 * group that is not empty at once it sleeps a second, and slurmd, which looks less and less often,
 * another: so the companion, which ends by itself now, is let go first.
 */
static void await_companion(void)
{
	const struct timespec leave = { 0, LEAVE_NS };
	struct pollfd end = { .fd = step.alive[0], .events = POLLIN };

	/* another process (SlurmdParameters=contain_spank) has copies of both ends: none shows */
	if (!step.alive[0] || getpid() != step.pid)
		return;
	close(step.alive[1]);
	if (poll(&end, 1, 0) == 0 && poll(&end, 1, COMPANION_MS) > 0)
		nanosleep(&leave, NULL);
	close(step.alive[0]);
	step.alive[0] = step.alive[1] = 0;
}

void ckpt_step_end(spank_t sp)
{
	const struct ckpt_spool_key key = spool_key(sp);
	struct ckpt_error err = { 0 };
	int status;

	await_companion();
	if (!step.begun || !step.report || step.report->attempt < 0 || !step.cluster[0])
		return;
	if (access(step.site.spool_dir, F_OK) < 0)
		return; /* no hooks here: nobody would read it, or remove it */
	if (spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS)
		return;
	if (ckpt_spool_put_status(&key, step.report->attempt, status, step.report->refused != 0,
				  &err) < 0)
		slurm_error("ckpt-resume: %s", err.text);
	else
		keep_decision(&key);
}
