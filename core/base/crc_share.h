/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ranges of a CRC check that one share of it reads.
 */
#ifndef CKPT_CORE_BASE_CRC_SHARE_H
#define CKPT_CORE_BASE_CRC_SHARE_H

#include "core/base/crc.h"
#include "core/base/share.h"

/* Stands between a job and its check: hands out what the share of @file's context reads. */
struct ckpt_crc_share {
	const struct ckpt_crc_job *job;
	const struct ckpt_file *file;
	uint64_t begin, end;		    /* of the share in the file */
	const struct ckpt_share_piece *old; /* the first of the pieces that were there before */
};

/* Prepares @ret for @job over @file, whose context has a share. False: nothing is read here. */
bool ckpt_crc_share_begin(const struct ckpt_file *file, const struct ckpt_crc_job *job,
			  struct ckpt_crc_share *ret);

/* A ckpt_crc_next_fn; @arg is a struct ckpt_crc_share. A range that is cut becomes a piece of the
 * share. */
int ckpt_crc_share_next(void *arg, struct ckpt_crc_range *ret);

/* All that was handed out was read: the pieces count. */
void ckpt_crc_share_read(const struct ckpt_crc_share *cs);

#endif
