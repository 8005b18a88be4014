/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_crc_verify() of crc.h: a look through ranges (ranges.h). Pieces come in any order: the CRC
 * of a whole is the exclusive or of its parts' CRCs, each moved on by the number of bytes behind
 * it.
 */
#include <stdlib.h>

#include "core/base/crc.h"
#include "core/base/crc_deferred.h"
#include "core/base/crc_share.h"
#include "core/base/ranges.h"

static int next(void *arg, union ckpt_range *ret)
{
	const struct ckpt_crc_job *job = arg;

	return job->next(job->arg, &ret->crc);
}

static void look(void *arg, const union ckpt_range *part, const struct ckpt_range_bytes *bytes,
		 union ckpt_range_found *found)
{
	const struct ckpt_crc_job *job = arg;

	(void)part;
	found->crc = ckpt_crc(job->kind, found->crc, bytes->data, bytes->len);
}

static void join(void *arg, union ckpt_range_found *whole, const union ckpt_range_found *part,
		 uint64_t behind)
{
	const struct ckpt_crc_job *job = arg;

	whole->crc ^= ckpt_crc_combine(job->kind, part->crc, 0, behind);
}

/* A range that was not read to its end is not judged. */
static bool judge(void *arg, const union ckpt_range *range, const union ckpt_range_found *found,
		  uint64_t done)
{
	(void)arg;
	if (done < range->len)
		return true;
	if (!range->crc.ret_crc)
		return found->crc == range->crc.expected;
	*range->crc.ret_crc = found->crc;
	return true;
}

static int verify_all(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		      struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct ckpt_crc_job crc = *job;
	const struct ckpt_ranges_job ranges = { .arg = &crc,
						.next = next,
						.look = look,
						.join = join,
						.end = judge,
						.unit = 1,
						.total = job->total,
						.purpose = "to verify checksums" };
	union ckpt_range bad;
	int r = ckpt_ranges_run(file, &ranges, &bad, err);

	if (r <= 0)
		return r;
	*ret_bad = bad.crc;
	return r == CKPT_RANGES_SHORT ? CKPT_CRC_SHORT : CKPT_CRC_MISMATCH;
}

/* Leaves the job to whoever reads the file later, or else verifies it now. */
static int defer(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		 struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct ckpt_crc_job again = *job;
	struct ckpt_crc_replay replay;
	int r = 0;

	again.next = ckpt_crc_replay_next;
	again.arg = &replay;
	if (!ckpt_crc_defer(file->ctx->deferred, file, job, &replay))
		r = verify_all(file, &again, ret_bad, err);
	free(replay.kept);
	return r;
}

int ckpt_crc_verify(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		    struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct ckpt_crc_job part = *job;
	struct ckpt_crc_share share;
	int r;

	if (file->ctx && file->ctx->deferred && !file->ctx->share)
		return defer(file, job, ret_bad, err);
	if (!file->ctx || !file->ctx->share)
		return verify_all(file, job, ret_bad, err);
	if (!ckpt_crc_share_begin(file, job, &share))
		return 0;
	part.next = ckpt_crc_share_next;
	part.arg = &share;
	r = verify_all(file, &part, ret_bad, err);
	if (r == 0)
		ckpt_crc_share_read(&share);
	return r;
}
