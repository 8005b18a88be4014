/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt-jobinfo: the one program of the hooks that speaks with slurmctld; rebuilt with every major
 * release of Slurm.
 *
 *   ckpt-jobinfo show JOBID	one line on stdout: job=... state=... ... end=1 (struct
 * ckpt_jobinfo) ckpt-jobinfo requeue JOBID	puts the job back into the queue ckpt-jobinfo hold
 * JOBID	the same, held
 *
 * One RPC each. It keeps no deadline: its caller does, and kills it. Exit: 0 done, 1 slurmctld said
 * no or does not answer, 2 usage.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

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

static void print_job(const slurm_job_info_t *job)
{
	bool task = job->array_job_id && job->array_task_id != NO_VAL;
	const char *name = plain_name(job->name);

	printf("job=%u state=%s completing=%d restart=%u preempt=%lld", job->job_id,
	       state_name(job->job_state), (job->job_state & JOB_COMPLETING) != 0, job->restart_cnt,
	       (long long)job->preempt_time);
	if (task)
		printf(" array_job=%u array_task=%u", job->array_job_id, job->array_task_id);
	if (name[0])
		printf(" name=%s", name);
	printf(" end=1\n");
}

static int show(uint32_t job_id)
{
	job_info_msg_t *answer = NULL;
	int code = 1;

	if (slurm_load_job(&answer, job_id, SHOW_ALL | SHOW_LOCAL | SHOW_DETAIL) != SLURM_SUCCESS)
		return 1;
	for (uint32_t i = 0; i < answer->record_count; i++) {
		if (answer->job_array[i].job_id != job_id)
			continue; /* the other tasks of an array come along */
		print_job(&answer->job_array[i]);
		code = 0;
		break;
	}
	slurm_free_job_info_msg(answer);
	return code;
}

static int requeue(uint32_t job_id)
{
	return slurm_requeue(job_id, 0) == SLURM_SUCCESS ? 0 : 1;
}

static int hold(uint32_t job_id)
{
	return slurm_requeue(job_id, JOB_REQUEUE_HOLD) == SLURM_SUCCESS ? 0 : 1;
}

static const struct verb {
	const char *name;
	int (*run)(uint32_t job_id);
} verbs[] = {
	{ "show", show },
	{ "requeue", requeue },
	{ "hold", hold },
};

int main(int argc, char **argv)
{
	char *end = NULL;
	unsigned long id;

	if (argc != 3 || argv[2][0] < '1' || argv[2][0] > '9')
		goto usage;
	errno = 0;
	id = strtoul(argv[2], &end, 10);
	if (errno || *end || id > UINT32_MAX)
		goto usage;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(argv[1], verbs[i].name) != 0)
			continue;
		slurm_init(NULL);
		return verbs[i].run((uint32_t)id);
	}
usage:
	fprintf(stderr, "usage: ckpt-jobinfo show|requeue|hold JOBID\n");
	return 2;
}
