/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-jobinfo: the one program of the hooks and the companion that speaks with slurmctld; rebuilt
 * with every major release of Slurm. Runs as root or as the job's owner.
 *
 *   show JOBID              one line on stdout: job=... state=... ... end=1 (struct ckpt_jobinfo)
 *   left JOBID              left=SECONDS until its time limit, or left=unlimited; in a second
 *                           line limit=SECONDS, the whole of it
 *   requeue JOBID [AFTER]   puts the job back into the queue; AFTER: until that job has ended
 *   requeue-running JOBID   the same, if it runs or is suspended: one that is ending or has been
 *                           cancelled stays as it is, which is no failure
 *   hold JOBID [REASON [only]]   the same, held; one that waits there already is held where it
 *                           is. REASON becomes, by root, the job's admin comment and, without
 *                           `only`, its comment; by its owner it goes behind the comment it has
 *   release JOBID           undoes a hold
 *   signal JOBID NUMBER     to all tasks of its steps on all its nodes, not to its script
 *
 * It keeps no deadline: its caller does, and kills it. RPCs: show, left, requeue, release
 * one, signal, requeue with AFTER and hold at most two, hold by the owner three. Exit: 0 done, 1
 * slurmctld said no or does not answer, 2 usage, 3 held, but the reason could not be left.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* since 26.05 jobs are named by a structure; this has its header take numbers too */
#define SLURM_BACKWARD_COMPAT
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#define REASON_MAX 200	 /* bytes of a reason that are passed on */
#define COMMENT_MAX 1024 /* bytes of a comment, Slurm's own limit at submission */
#define OURS "ckpt-resume: "
#define NO_NOTE 3

/* What may stand behind a job's number. */
struct words {
	const char *reason; /* NULL: none; of requeue, the other job's number; of signal, its */
	bool only;
};

static const char *const states[] = {
	[JOB_PENDING] = "pending",     [JOB_RUNNING] = "running",     [JOB_SUSPENDED] = "suspended",
	[JOB_COMPLETE] = "completed",  [JOB_CANCELLED] = "cancelled", [JOB_FAILED] = "failed",
	[JOB_TIMEOUT] = "timeout",     [JOB_NODE_FAIL] = "node-fail", [JOB_PREEMPTED] = "preempted",
	[JOB_BOOT_FAIL] = "boot-fail", [JOB_DEADLINE] = "deadline",   [JOB_OOM] = "out-of-memory",
};

static const char *state_name(uint32_t state)
{
	uint32_t base = state & JOB_STATE_BASE;

	return base < sizeof(states) / sizeof(states[0]) && states[base] ? states[base] : "other";
}

/* The name where it is a plain word: it is the user's text and goes to a program of root's. */
static const char *plain_name(const char *name)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return name && strlen(name) < 256 && name[strspn(name, plain)] == '\0' ? name : "";
}

/* Why a job that waits is held; "" for one that is not. */
static const char *held_word(const slurm_job_info_t *job)
{
	if (job->state_reason == WAIT_MAX_REQUEUE)
		return "max-requeue";
	if (job->state_reason == WAIT_HELD)
		return "admin";
	if (job->state_reason == WAIT_HELD_USER)
		return "user";
	return job->priority == 0 ? "other" : "";
}

static void print_word(const char *key, const char *value)
{
	if (value && *value)
		printf(" %s=%s", key, value);
}

static void print_job(const slurm_job_info_t *job)
{
	bool task = job->array_job_id && job->array_task_id != NO_VAL;

	printf("job=%u state=%s completing=%d restart=%u preempt=%lld", job->job_id,
	       state_name(job->job_state), (job->job_state & JOB_COMPLETING) != 0, job->restart_cnt,
	       (long long)job->preempt_time);
	if (task)
		printf(" array_job=%u array_task=%u", job->array_job_id, job->array_task_id);
	print_word("name", plain_name(job->name));
	print_word("host", plain_name(job->batch_host));
	print_word("held", held_word(job));
	if (!job->requeue)
		printf(" no_requeue=1");
	if (job->comment && *job->comment)
		printf(" commented=1");
	printf(" end=1\n");
}

/* The record of @job_id in a message that the caller frees, or NULL. */
static slurm_job_info_t *load(uint32_t job_id, job_info_msg_t **ret)
{
	if (slurm_load_job(ret, job_id, SHOW_ALL | SHOW_LOCAL | SHOW_DETAIL) != SLURM_SUCCESS)
		return NULL;
	for (uint32_t i = 0; i < (*ret)->record_count; i++)
		if ((*ret)->job_array[i].job_id == job_id)
			return &(*ret)->job_array[i]; /* an array's other tasks come along */
	return NULL;
}

static int show(uint32_t job_id, const struct words *words)
{
	job_info_msg_t *answer = NULL;
	slurm_job_info_t *job = load(job_id, &answer);

	(void)words;
	if (job)
		print_job(job);
	slurm_free_job_info_msg(answer);
	return job ? 0 : 1;
}

/* Seconds that are left until the time limit, by this node's clock. */
static int left(uint32_t job_id, const struct words *words)
{
	job_info_msg_t *answer = NULL;
	slurm_job_info_t *job = load(job_id, &answer);
	long long seconds;

	(void)words;
	if (job && (job->time_limit == INFINITE || job->end_time == 0)) {
		printf("left=unlimited\n");
	} else if (job) {
		seconds = (long long)job->end_time - (long long)time(NULL);
		printf("left=%lld\n", seconds > 0 ? seconds : 0);
		if (job->time_limit != NO_VAL)
			printf("limit=%lld\n", 60LL * job->time_limit);
	}
	slurm_free_job_info_msg(answer);
	return job ? 0 : 1;
}

static int update(uint32_t job_id, job_desc_msg_t *change)
{
#ifdef slurm_load_job /* such a header */
	change->step_id.job_id = job_id;
#else
	change->job_id = job_id;
#endif
	return slurm_update_job(change) == SLURM_SUCCESS ? 0 : 1;
}

static bool parse_id(const char *text, uint32_t *ret)
{
	char *end = NULL;
	unsigned long id;

	if (text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	*ret = (uint32_t)id;
	return !errno && !*end && id <= UINT32_MAX;
}

/* A job that waits already is what was asked for: a call whose answer came too late had arrived,
 * and to ask a busy slurmctld again and again for what it has done would keep it busy. Requeued it
 * is, also where the other job is none that slurmctld knows. */
static int requeue(uint32_t job_id, const struct words *words)
{
	char dependency[40];
	job_desc_msg_t change;
	uint32_t after = 0;

	if (words->reason && !parse_id(words->reason, &after))
		return 2;
	if (slurm_requeue(job_id, 0) != SLURM_SUCCESS && errno != ESLURM_JOB_PENDING)
		return 1;
	if (!after)
		return 0;
	slurm_init_job_desc_msg(&change);
	snprintf(dependency, sizeof(dependency), "afterany:%u", after);
	change.dependency = dependency;
	update(job_id, &change);
	return 0;
}

static int requeue_running(uint32_t job_id, const struct words *words)
{
	(void)words;
	if (slurm_requeue(job_id, JOB_RUNNING) == SLURM_SUCCESS || errno == ESLURM_JOB_PENDING)
		return 0;
	return 1;
}

/* The comment @old with our part, which is its end, made to say @reason. */
static void append_reason(char *buf, size_t size, const char *old, const char *reason)
{
	const char *ours = old ? strstr(old, OURS) : NULL;
	size_t keep = ours ? (size_t)(ours - old) : strlen(old ? old : "");
	size_t most = size - sizeof("; " OURS) - REASON_MAX;

	keep = keep < most ? keep : most;
	snprintf(buf, size, "%.*s%s" OURS "%.*s", (int)keep, old ? old : "",
		 keep && !ours ? "; " : "", REASON_MAX, reason);
}

/*
 * Where squeue (comment) and scontrol show job (both) show the reason. Slurm replaces a comment as
 * a whole, so its owner's is read first; the admin comment is for root alone to write.
 */
struct note {
	char comment[COMMENT_MAX], admin[REASON_MAX + sizeof(OURS)];
};

static void note_as_owner(uint32_t job_id, const char *reason, struct note *note,
			  job_desc_msg_t *change)
{
	job_info_msg_t *answer = NULL;
	slurm_job_info_t *job = load(job_id, &answer);

	if (job) {
		append_reason(note->comment, sizeof(note->comment), job->comment, reason);
		change->comment = note->comment;
	}
	slurm_free_job_info_msg(answer);
}

static void note_as_root(const char *reason, bool only, struct note *note, job_desc_msg_t *change)
{
	snprintf(note->admin, sizeof(note->admin), OURS "%.*s", REASON_MAX, reason);
	change->admin_comment = note->admin;
	if (!only)
		change->comment = note->admin;
}

static int hold(uint32_t job_id, const struct words *words)
{
	job_desc_msg_t change;
	struct note note;
	bool waits = false;

	if (slurm_requeue(job_id, JOB_REQUEUE_HOLD) != SLURM_SUCCESS) {
		waits = errno == ESLURM_JOB_PENDING;
		if (!waits)
			return 1;
	}
	slurm_init_job_desc_msg(&change);
	if (words->reason && geteuid() == 0)
		note_as_root(words->reason, words->only, &note, &change);
	else if (words->reason)
		note_as_owner(job_id, words->reason, &note, &change);
	if (waits) {
		change.priority = 0;
		change.alloc_sid = ALLOC_SID_USER_HOLD; /* its owner can release it */
	}
	if ((!waits && !words->reason) || update(job_id, &change) == 0)
		return 0;
	return waits ? 1 : NO_NOTE;
}

/* The name of @job_id that means it alone, in @buf: the last task of an array has the array's own
 * number, and a signal to that goes to all tasks (slurmctld/job_mgr.c, job_str_signal). */
static bool name_alone(uint32_t job_id, char *buf, size_t size)
{
	job_info_msg_t *answer = NULL;
	slurm_job_info_t *job = load(job_id, &answer);

	if (job && job->array_job_id && job->array_task_id != NO_VAL)
		snprintf(buf, size, "%u_%u", job->array_job_id, job->array_task_id);
	else
		snprintf(buf, size, "%u", job_id);
	slurm_free_job_info_msg(answer);
	return job != NULL;
}

static int signal_steps(uint32_t job_id, const struct words *words)
{
	char name[32];
	uint32_t number;

	if (!words->reason || !parse_id(words->reason, &number) || number > 64)
		return 2;
	if (!name_alone(job_id, name, sizeof(name)))
		return 1;
	return slurm_kill_job2(name, (uint16_t)number, 0, NULL) == SLURM_SUCCESS ? 0 : 1;
}

static int release(uint32_t job_id, const struct words *words)
{
	job_desc_msg_t change;

	(void)words;
	slurm_init_job_desc_msg(&change);
	change.priority = INFINITE;
	change.alloc_sid = 0;
	return update(job_id, &change);
}

static const struct verb {
	const char *name;
	int most; /* words after the program's name */
	int (*run)(uint32_t job_id, const struct words *words);
} verbs[] = {
	{ "show", 2, show },
	{ "left", 2, left },
	{ "requeue", 3, requeue },
	{ "hold", 4, hold },
	{ "release", 2, release },
	{ "signal", 3, signal_steps },
	{ "requeue-running", 2, requeue_running },
};

int main(int argc, char **argv)
{
	struct words words = { .reason = argc > 3 ? argv[3] : NULL, .only = argc > 4 };
	bool helped;
	uint32_t id;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (argc < 3 || argc - 1 > verbs[i].most || strcmp(argv[1], verbs[i].name) != 0 ||
		    !parse_id(argv[2], &id) || (words.only && strcmp(argv[4], "only") != 0))
			continue;
		slurm_init(NULL);
		return verbs[i].run(id, &words);
	}
	helped = argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0);
	fprintf(helped ? stdout : stderr,
		"ckpt-jobinfo " CKPT_VERSION " is started by ckpt-resume's hook and companion.\n"
		"usage: ckpt-jobinfo show|left|release|requeue-running JOBID | "
		"requeue JOBID [AFTER] | hold JOBID [REASON [only]] | signal JOBID NUMBER\n");
	return helped ? 0 : 2;
}
