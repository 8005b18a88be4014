/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The look for NaN and Inf in one checkpoint: what rows of formats share.
 */
#ifndef CKPT_CORE_FORMAT_FINITENESS_H
#define CKPT_CORE_FORMAT_FINITENESS_H

#include "core/base/finite.h"
#include "core/format/format.h"

/* Says that @n tensors (or files) could not be looked through, and why. */
void ckpt_finiteness_skip(struct ckpt_check *check, uint64_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Enters what was looked through; poisoned tensors are named by ckpt_finiteness_name(). */
void ckpt_finiteness_count(struct ckpt_check *check, const struct ckpt_finite *found);

/* Names the tensor of @floats, a hit of a scan of check->file. */
void ckpt_finiteness_name(struct ckpt_check *check, const char *tensor,
			  const struct ckpt_floats *floats);

/* Looks through one tensor that was decoded elsewhere: counts @floats of it, and names it. */
void ckpt_finiteness_tensor(struct ckpt_check *check, const char *tensor,
			    const struct ckpt_floats *floats);

/* Scans check->file's ranges and enters the counts. 0, CKPT_UNREADABLE for a file that is no longer
 * what its structure said, or an errno. */
int ckpt_finiteness_scan(struct ckpt_check *check, const struct ckpt_finite_job *job,
			 struct ckpt_finite *ret);

/* Scans the one @range of check->file, the tensor @tensor; one that is empty or of no float type is
 * left out. As ckpt_finiteness_scan(). */
int ckpt_finiteness_range(struct ckpt_check *check, const struct ckpt_finite_range *range,
			  const char *tensor);

/*
 * The row's look at a checkpoint whose content passed; leaves the remark non-finite in the verdict
 * where something was found. What the budget cuts off is skipped, and said. As a check function.
 */
int ckpt_finiteness_run(struct ckpt_check *check, const struct ckpt_format *row);

#endif
