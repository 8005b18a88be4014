/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See digest_plan.h; and ckpt_digest_tells() of digest.h, which has to agree with it.
 */
#include "core/integrity/digest_plan.h"

#include "core/base/bulk.h"
#include "core/base/workers.h"

static int threads_of(const struct ckpt_ctx *ctx)
{
	int n = ckpt_ctx_threads(ctx);

	return n < CKPT_WORKERS_MAX ? n : CKPT_WORKERS_MAX;
}

/* More where the largest file, and so most of what is read, comes from a disk; but none of them
 * with fewer messages than it works at side by side. */
static int threads_for(const struct ckpt_digest_job *job, uint64_t units)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	int n = threads_of(job->ctx), cold;
	size_t largest = 0;

	for (size_t i = 1; i < job->n; i++)
		if (job->files[i].id.size > job->files[largest].id.size)
			largest = i;
	if (job->n == 0 ||
	    ckpt_file_open(job->ctx, job->dirfd, job->files[largest].name, &file, NULL) != 0)
		return n;
	cold = ckpt_bulk_threads(&file, n);
	if (units / CKPT_SHA256_LANES < (uint64_t)cold)
		cold = (int)(units / CKPT_SHA256_LANES);
	return cold > n ? cold : n;
}

bool ckpt_digest_tells(const struct ckpt_ctx *ctx, uint64_t size)
{
	return ckpt_sha256_plan(size / CKPT_DIGEST_LEAF, threads_of(ctx)).lanes > 1;
}

struct ckpt_sha256_plan ckpt_digest_plan(const struct ckpt_digest_job *job, uint64_t units)
{
	return ckpt_sha256_plan(units, threads_for(job, units));
}
