/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks through many ranges of one file, with all threads of the context and in constant memory:
 * many small ones at once, or a piece of a large one. What is looked for is the job's.
 */
#ifndef CKPT_CORE_BASE_RANGES_H
#define CKPT_CORE_BASE_RANGES_H

#include "core/base/crc.h"
#include "core/base/finite.h"

/* A range of the file: one of these by the job. */
union ckpt_range {
	struct {
		uint64_t off, len;
	};
	struct ckpt_crc_range crc;
	struct ckpt_finite_range finite;
};

/* What was found in a range or in a piece of it; zeroed before its first byte. */
union ckpt_range_found {
	struct ckpt_floats floats;
	uint32_t crc;
};

/* Bytes that were read, at @off of the file. */
struct ckpt_range_bytes {
	const void *data;
	size_t len;
	uint64_t off;
};

struct ckpt_ranges_job {
	void *arg; /* of the functions */
	/* Hands out the next range: 1 with *@ret filled, 0 at the end, < 0 errno. Called under a
	 * lock, in order. */
	int (*next)(void *arg, union ckpt_range *ret);
	/* Looks at the next bytes of @part, a range or a piece of one. Called by all threads. */
	void (*look)(void *arg, const union ckpt_range *part, const struct ckpt_range_bytes *bytes,
		     union ckpt_range_found *found);
	/* Adds what was found in a piece to what was in its range, @behind bytes of which come
	 * after the piece. Called under the lock, in any order. */
	void (*join)(void *arg, union ckpt_range_found *whole, const union ckpt_range_found *part,
		     uint64_t behind);
	/* Takes the result of a range: @done of its bytes were looked at, which are all unless the
	 * whole was cut off. False rejects the range. Called under the lock. */
	bool (*end)(void *arg, const union ckpt_range *range, const union ckpt_range_found *found,
		    uint64_t done);
	unsigned unit;	/* bytes from the range's beginning on that are never divided: 1..8 */
	uint64_t total; /* of bytes, for the progress callback; 0 = unknown: it is not called */
	const char *purpose; /* "to verify checksums" */
};

enum ckpt_ranges_result {
	CKPT_RANGES_REJECTED = 1, /* *ret_bad is the first such range by offset of those read */
	CKPT_RANGES_SHORT,	  /* *ret_bad reaches beyond the file */
};

/*
 * Looks through all ranges that @job hands out. Pieces end with a block of the file (bulk.h), so
 * that reads past the page cache are of whole ones, in their order. Stops at the first range that
 * is rejected or too long, and at an error; a verdict outweighs an error. 0, ckpt_ranges_result, or
 * an errno (-ETIMEDOUT, -EDQUOT, -EIO ..., or that of job->next).
 */
int ckpt_ranges_run(const struct ckpt_file *file, const struct ckpt_ranges_job *job,
		    union ckpt_range *ret_bad, struct ckpt_error *err);

#endif
