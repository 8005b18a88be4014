/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One share of a check that several processes do together: which bytes of which file are read here.
 * Every share answers the same for the same file, without talking to the others: a large file is
 * cut by its size, a small one is one share's whole. A checksum over bytes of two shares is left as
 * pieces, which whoever has them all puts together.
 */
#ifndef CKPT_CORE_BASE_SHARE_H
#define CKPT_CORE_BASE_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"

#define CKPT_SHARE_MAX 65536 /* shares of one check: a task a node of the largest machines */
#define CKPT_SHARE_SPLIT ((uint64_t)16 * 1024 * 1024) /* files below are not cut */
#define CKPT_SHARE_WHOLE ((uint64_t)4 * 1024 * 1024)  /* nor are ranges up to this */

/* What was read here of a range that has one checksum. Offsets are those of the whole file. */
struct ckpt_share_piece {
	uint64_t ino; /* of the file */
	int kind;     /* enum ckpt_crc_kind */
	uint64_t range_off, range_len;
	uint64_t off, len;	/* the piece; inside the range */
	uint32_t expected, crc; /* of the range; of the piece */
	bool done;		/* crc is known */
	struct ckpt_share_piece *next;
};

/* For one check at a time. */
struct ckpt_share {
	unsigned int index, count; /* index < count */
	char way[96];		   /* what was compared with: has to be the same in all shares */
	struct ckpt_share_piece *pieces;
	size_t n_pieces;
};

/*
 * Where in @file (a view's own offsets) its context's share lies: *@ret_begin <= at < *@ret_end.
 * False if nowhere. All of it without a share.
 */
bool ckpt_share_window(const struct ckpt_file *file, uint64_t *ret_begin, uint64_t *ret_end);

/* Whether what begins at @off of @file, and is not cut, is looked at here. */
bool ckpt_share_takes(const struct ckpt_file *file, uint64_t off);

/* Whether the whole of the file @name is looked at here. @share may be NULL: yes. */
bool ckpt_share_takes_file(const struct ckpt_share *share, const char *name);

/* Whether number @n of @total equal parts is looked at here. @share may be NULL: yes. */
bool ckpt_share_takes_part(const struct ckpt_share *share, uint64_t n, uint64_t total);

/* Adds a copy of @piece. It stays where it is until ckpt_share_done(). NULL without memory. */
struct ckpt_share_piece *ckpt_share_add(struct ckpt_share *share,
					const struct ckpt_share_piece *piece);

/* Frees the pieces. */
void ckpt_share_done(struct ckpt_share *share);
#define _cleanup_share_ _cleanup_(ckpt_share_done)

#endif
