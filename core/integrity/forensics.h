/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be found out about a file that was rejected, beyond the verdict: where its data end,
 * what was never written, whether the file system is full, who still writes. Facts alone: nothing
 * here judges, and nothing is recalled from tape.
 */
#ifndef CKPT_CORE_INTEGRITY_FORENSICS_H
#define CKPT_CORE_INTEGRITY_FORENSICS_H

#include "core/base/file.h"
#include "core/integrity/writers.h"

#define CKPT_FORENSICS_READ ((uint64_t)256 << 20) /* bytes read in search of the last one */

struct ckpt_forensics {
	uint64_t size, blocks; /* bytes; 512-byte blocks */
	bool released;	   /* ckpt_file_released(): on tape, or one hole: its data are not read */
	bool has_end;	   /* what follows was found out */
	bool end_at_most;  /* zeros as far back as was read: the data end there or before */
	uint64_t data_end; /* behind the last byte that is not zero */
	uint64_t holes, hole_bytes, first_hole; /* never written; 0, 0, - where there are none */
	bool has_space;
	uint64_t free_bytes, total_bytes; /* of the file system, now, for this user */
	uint64_t free_inodes;		  /* UINT64_MAX where it does not count them */
	bool remote; /* a network file system: writers on other hosts are not seen */
	bool has_quota;
	uint64_t quota_used, quota_limit; /* bytes, of the file's owner on that file system */
	bool has_writers;
	struct ckpt_writers writers;
};

/*
 * Looks at @name in @dirfd, a regular file. @proc as in writers.h. Reads at most
 * CKPT_FORENSICS_READ bytes, holes aside, and within the context's budget: what is beyond stays
 * unknown. 0; CKPT_FILE_NOT_REGULAR; -ENOENT; or another errno.
 */
int ckpt_forensics_file(struct ckpt_ctx *ctx, int dirfd, const char *name, const char *proc,
			struct ckpt_forensics *ret, struct ckpt_error *err);

#endif
