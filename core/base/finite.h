/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks for NaN and Inf in many ranges of one file, with all threads of the context and in constant
 * memory.
 */
#ifndef CKPT_CORE_BASE_FINITE_H
#define CKPT_CORE_BASE_FINITE_H

#include "core/base/file.h"
#include "core/base/floats.h"

/* Numbers of one kind in a row: a tensor. @tag is the caller's. */
struct ckpt_finite_range {
	uint64_t off, len;
	struct ckpt_float_kind kind;
	uint64_t tag;
};

/* Hands out the next range: 1 with *@ret filled, 0 at the end, < 0 errno. Called under a lock, in
 * order. */
typedef int ckpt_finite_next_fn(void *arg, struct ckpt_finite_range *ret);

struct ckpt_finite_job {
	ckpt_finite_next_fn *next;
	void *arg;
	uint64_t total; /* bytes, for the progress callback; 0 = unknown */
};

#define CKPT_FINITE_HITS 8 /* a person acts on the first; a diverged run poisons all */

/* A range that holds some; floats.first is an offset in the file. */
struct ckpt_finite_hit {
	uint64_t tag;
	struct ckpt_floats floats;
};

struct ckpt_finite {
	uint64_t ranges, bytes; /* looked through */
	uint64_t poisoned;	/* ranges that hold any */
	uint64_t nan, inf;	/* in all of them */
	int n_hits;
	struct ckpt_finite_hit hits[CKPT_FINITE_HITS]; /* the first ones in the file, in order */
};

/*
 * Looks through all ranges of @file and fills @ret. Threads split large ranges, where the file has
 * no source; memory is that of bulk.h. 0; CKPT_FILE_SHORT for a range that reaches beyond the file;
 * or an errno (-ETIMEDOUT, -EDQUOT, -EIO ...): then @ret holds what was looked through until then.
 */
int ckpt_finite_scan(const struct ckpt_file *file, const struct ckpt_finite_job *job,
		     struct ckpt_finite *ret, struct ckpt_error *err);

/* Counts a range that was looked through elsewhere. */
void ckpt_finite_enter(struct ckpt_finite *all, uint64_t tag, uint64_t bytes,
		       const struct ckpt_floats *found);

#endif
