/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run configuration: a JSON document of the training program (--ckpt-config=FILE or
 * ckpt-config.json in the run directory). A few keys are honoured; all others are the program's own
 * and left alone. A key that is ours with a value of the wrong type is an error: silently ignoring
 * `no_restore: "yes"` would resume.
 */
#ifndef CKPT_CORE_CONFIG_RUN_CONFIG_H
#define CKPT_CORE_CONFIG_RUN_CONFIG_H

#include "core/base/ctx.h"
#include "core/base/json.h"
#include "wire/field.h"

#define CKPT_RUN_CONFIG "ckpt-config.json"
#define CKPT_RUN_CONFIG_KEYS 32 /* required_keys, fetch arguments */

/* Below the run directory, where model.fetch_into is not given. */
#define CKPT_FETCH_INTO "fetched"

struct ckpt_run_config {
	bool present;
	char file[CKPT_PATH_MAX];
	char resume_from_checkpoint[CKPT_PATH_MAX]; /* training.resume_from_checkpoint: path,
						       relative to the run directory or name; true =
						       auto, false = fresh */
	bool has_resume_flag, resume_flag;	    /* ... where it is a boolean */
	bool no_restore;			    /* training.no_restore */
	char end_marker[CKPT_PATH_MAX];		    /* training.end_marker: a file that says that
						       the run is at its end; empty = none */
	bool save_best_only;			    /* checkpoints.save_best_only */
	bool has_max_checkpoints;
	int64_t max_checkpoints; /* checkpoints.max_checkpoints: the program's own rotation */
	char custom_checkpoint[CKPT_PATH_MAX]; /* model.custom_checkpoint */
	char pretrained[CKPT_PATH_MAX];	       /* model.pretrained */
	char *fetch[CKPT_RUN_CONFIG_KEYS +
		    1];			/* model.fetch: argument list, owned, NULL-terminated */
	char fetch_into[CKPT_PATH_MAX]; /* model.fetch_into: directory; default "fetched" in the run
					   directory */
	int64_t min_size_bytes;		/* validation.min_size_bytes */
	char *required_keys[CKPT_RUN_CONFIG_KEYS +
			    1]; /* validation.required_keys, owned, NULL-terminated */
	char warning[512];	/* e.g. a rotation that leaves no fallback; or empty */
};

enum ckpt_run_config_result {
	CKPT_RUN_CONFIG_BAD = 1, /* torn JSON or a key of ours with a wrong value: *err names file,
				    key, what is allowed */
};

/*
 * Reads @path (absolute) into @ret (zeroed). 0, also when it does not exist and @optional (present
 * stays false); BAD; -ENOENT; or an errno. The caller calls ckpt_run_config_done().
 */
int ckpt_run_config_load(struct ckpt_ctx *ctx, const char *path, bool optional,
			 struct ckpt_run_config *ret, struct ckpt_error *err);

/* Frees what @config owns. */
void ckpt_run_config_done(struct ckpt_run_config *config);

#endif
