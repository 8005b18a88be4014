/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See share.h.
 */
#include "core/base/share.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"

/* Spreads names; nothing rests on it but the balance. */
static uint64_t name_hash(const char *name)
{
	uint64_t h = ckpt_hash(CKPT_HASH_START, name, strlen(name));

	return h ^ (h >> 32);
}

/* Where the share number @index of @count begins in @total. */
static uint64_t share_begin(uint64_t total, unsigned int index, unsigned int count)
{
	return total / count * index + total % count * index / count;
}

bool ckpt_share_takes_file(const struct ckpt_share *share, const char *name)
{
	return !share || name_hash(name) % share->count == share->index;
}

bool ckpt_share_takes_part(const struct ckpt_share *share, uint64_t n, uint64_t total)
{
	return !share || (n >= share_begin(total, share->index, share->count) &&
			  n < share_begin(total, share->index + 1, share->count));
}

/* A file that is decoded on the way is not cut: to begin in its middle would cost all before. */
static bool is_cut(const struct ckpt_file *file)
{
	return !file->source && file->id.size >= CKPT_SHARE_SPLIT;
}

bool ckpt_share_window(const struct ckpt_file *file, uint64_t *ret_begin, uint64_t *ret_end)
{
	const struct ckpt_share *share = file->ctx ? file->ctx->share : NULL;
	uint64_t begin, end;

	*ret_begin = 0;
	*ret_end = UINT64_MAX;
	if (!share)
		return true;
	if (!is_cut(file))
		return ckpt_share_takes_file(share, file->name);
	begin = share_begin(file->id.size, share->index, share->count);
	end = share_begin(file->id.size, share->index + 1, share->count);
	if (share->index + 1 == share->count) /* what reaches beyond the file is its to tell */
		end = UINT64_MAX;
	if (end <= file->base || begin >= end)
		return false;
	*ret_begin = begin > file->base ? begin - file->base : 0;
	*ret_end = end == UINT64_MAX ? end : end - file->base;
	return true;
}

bool ckpt_share_takes(const struct ckpt_file *file, uint64_t off)
{
	uint64_t begin, end;

	return ckpt_share_window(file, &begin, &end) && off >= begin && off < end;
}

struct ckpt_share_piece *ckpt_share_add(struct ckpt_share *share,
					const struct ckpt_share_piece *piece)
{
	struct ckpt_share_piece *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *piece;
	copy->next = share->pieces;
	share->pieces = copy;
	share->n_pieces++;
	return copy;
}

void ckpt_share_done(struct ckpt_share *share)
{
	while (share->pieces) {
		struct ckpt_share_piece *piece = share->pieces;

		share->pieces = piece->next;
		free(piece);
	}
	share->n_pieces = 0;
}
