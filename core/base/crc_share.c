/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See crc_share.h. Ranges up to CKPT_SHARE_WHOLE belong to the share that they begin in.
 */
#include "core/base/crc_share.h"

#include <errno.h>

bool ckpt_crc_share_begin(const struct ckpt_file *file, const struct ckpt_crc_job *job,
			  struct ckpt_crc_share *ret)
{
	*ret = (struct ckpt_crc_share) { .job = job,
					 .file = file,
					 .old = file->ctx->share->pieces };
	return ckpt_share_window(file, &ret->begin, &ret->end);
}

/* Cuts @range to [@begin, @end) and notes the piece, where its CRC will stand. 1 or -ENOMEM. */
static int cut(const struct ckpt_crc_share *cs, struct ckpt_crc_range *range, uint64_t begin,
	       uint64_t end)
{
	const struct ckpt_share_piece new = { .ino = cs->file->id.ino,
					      .kind = (int)cs->job->kind,
					      .range_off = cs->file->base + range->off,
					      .range_len = range->len,
					      .off = cs->file->base + begin,
					      .len = end - begin,
					      .expected = range->expected };
	struct ckpt_share_piece *piece = ckpt_share_add(cs->file->ctx->share, &new);

	if (!piece)
		return -ENOMEM;
	range->off = begin;
	range->len = end - begin;
	range->ret_crc = &piece->crc;
	return 1;
}

int ckpt_crc_share_next(void *arg, struct ckpt_crc_range *ret)
{
	struct ckpt_crc_share *cs = arg;
	uint64_t begin, end;
	int r;

	for (;;) {
		r = cs->job->next(cs->job->arg, ret);
		if (r != 1)
			return r;
		if (ret->len <= CKPT_SHARE_WHOLE) {
			if (ret->off >= cs->begin && ret->off < cs->end)
				return 1;
			continue;
		}
		if (__builtin_add_overflow(ret->off, ret->len, &end))
			end = UINT64_MAX;
		begin = ret->off > cs->begin ? ret->off : cs->begin;
		if (end <= cs->end && begin == ret->off)
			return 1;
		end = end < cs->end ? end : cs->end;
		if (begin < end)
			return cut(cs, ret, begin, end);
	}
}

void ckpt_crc_share_read(const struct ckpt_crc_share *cs)
{
	struct ckpt_share_piece *piece = cs->file->ctx->share->pieces;

	for (; piece != cs->old; piece = piece->next)
		piece->done = true;
}
