/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stage of a pipeline put out, proved by its bytes: a file, or a directory with all regular
 * files in it.
 */
#ifndef CKPT_CORE_INTEGRITY_OUTPUTS_H
#define CKPT_CORE_INTEGRITY_OUTPUTS_H

#include "core/record/stages.h"

enum ckpt_output_result {
	CKPT_OUTPUT_MISSING = 1, /* nothing is there, or neither a file nor a directory */
	CKPT_OUTPUT_CHANGED,	 /* it is not what was recorded, or changes while it is read */
};

/*
 * Fills in what is at @output->path (links followed): kind, files, bytes, and, with @read, the
 * digest. A tree of more than CKPT_FILES_MAX files, deeper than CKPT_FILES_DEPTH, or with a link to
 * a folder in it is `unread`. 0; MISSING, CHANGED with @err; or an errno.
 */
int ckpt_output_measure(struct ckpt_ctx *ctx, struct ckpt_stage_output *output, bool read,
			struct ckpt_error *err);

/* Compares what is there with @output: counts and sizes first, then every byte. 0; MISSING, CHANGED
 * with @err; or an errno. */
int ckpt_output_verify(struct ckpt_ctx *ctx, const struct ckpt_stage_output *output,
		       struct ckpt_error *err);

#endif
