/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See job.h. A terminate message for a job that slurmctld no longer knows shows as uid 0, work dir
 * "(null)" and no restart count.
 */
#include "hooks/job.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

/* (uid_t)-1 means "leave as it is" to setresuid(2), so it is no id. */
#define ID_MAX ((int64_t)UINT32_MAX - 1)

static const char *text(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static bool number(const char *name, int64_t min, int64_t max, int64_t *ret)
{
	return ckpt_text_int(text(name), min, max, ret);
}

int ckpt_hook_job_read(struct ckpt_hook_job *ret, struct ckpt_error *err)
{
	struct ckpt_hook_job job = {
		.user = text("SLURM_JOB_USER"),
		.work_dir = text("SLURM_JOB_WORK_DIR"),
		.cluster = text("SLURM_CLUSTER_NAME"),
		.node = text("SLURMD_NODENAME"),
		.partition = text("SLURM_JOB_PARTITION"),
		.nodes = text("SLURM_NODELIST"),
		.exit_code = text("SLURM_JOB_EXIT_CODE2"),
	};
	int64_t uid, gid;

	if (!number("SLURM_JOB_ID", 1, UINT32_MAX, &job.id) ||
	    !number("SLURM_JOB_UID", 0, ID_MAX, &uid))
		return ckpt_fail(err, CKPT_HOOK_JOB_BARE, "no job id or user id");
	if (uid == 0)
		return ckpt_fail(err, CKPT_HOOK_JOB_ROOT, "jobs of uid 0 are not handled");
	if (!number("SLURM_JOB_GID", 0, ID_MAX, &gid))
		return ckpt_fail(err, CKPT_HOOK_JOB_BARE, "no group id");
	if (!number("SLURM_JOB_RESTART_COUNT", 0, UINT32_MAX, &job.attempt))
		return ckpt_fail(err, CKPT_HOOK_JOB_BARE, "no SLURM_JOB_RESTART_COUNT");
	if (job.work_dir[0] != '/')
		return ckpt_fail(err, CKPT_HOOK_JOB_BARE, "no work directory");
	if (!ckpt_text_is_word(job.cluster) || !ckpt_text_is_word(job.node))
		return ckpt_fail(err, CKPT_HOOK_JOB_BARE, "no cluster or node name");
	if (!job.nodes[0])
		job.nodes = text("SLURM_JOB_NODELIST");
	if (!number("SLURM_JOB_NUM_NODES", 1, UINT32_MAX, &job.num_nodes))
		job.num_nodes = 0;
	if (!number("SLURM_HET_JOB_ID", 1, UINT32_MAX, &job.leader))
		job.leader = 0;
	job.uid = (uid_t)uid;
	job.gid = (gid_t)gid;
	*ret = job;
	return 0;
}

bool ckpt_hook_first_node(const char *list, char *buf, size_t size)
{
	size_t at = 0;

	for (const char *p = list; *p && *p != ','; p++) {
		size_t keep = 1;

		if (*p == '[') { /* of each bracket its first number */
			const char *close = strchr(++p, ']');

			keep = strspn(p, "0123456789");
			if (!close || !keep || !strchr(",-]", p[keep]))
				goto bad;
		}
		if (at + keep >= size)
			goto bad;
		memcpy(buf + at, p, keep);
		at += keep;
		if (p > list && p[-1] == '[')
			p = strchr(p, ']');
	}
	buf[at] = '\0';
	if (ckpt_text_is_word(buf))
		return true;
bad:
	buf[0] = '\0';
	return false;
}

bool ckpt_hook_job_is_batch_host(const struct ckpt_hook_job *job)
{
	char first[256];

	return (!job->leader || job->leader == job->id) &&
	       ckpt_hook_first_node(job->nodes, first, sizeof(first)) &&
	       strcmp(first, job->node) == 0;
}
