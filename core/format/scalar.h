/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single numbers inside array files that tell the progress of a training, by their names.
 */
#ifndef CKPT_CORE_FORMAT_SCALAR_H
#define CKPT_CORE_FORMAT_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/format/verdict.h"

/* A number as it lies in the file. */
struct ckpt_scalar {
	char kind; /* 'i' signed, 'u' unsigned, 'f' IEEE */
	bool big;
	size_t size; /* 1 to 8 bytes; of 'f' 4 or 8 */
	const uint8_t *data;
};

/* True for a name, or the last part of a path, that calls itself a step or an epoch. */
bool ckpt_scalar_wanted(const char *path);

/* Takes the number into @report's position if @path names one and it can be a step or an epoch. */
void ckpt_scalar_take(struct ckpt_report *report, const char *path,
		      const struct ckpt_scalar *scalar);

#endif
