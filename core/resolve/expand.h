/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run directories of a request: the list split, %-letters expanded, made absolute from the work
 * directory.
 */
#ifndef CKPT_CORE_RESOLVE_EXPAND_H
#define CKPT_CORE_RESOLVE_EXPAND_H

#include "wire/request.h"

enum ckpt_expand_result {
	CKPT_EXPAND_UNKNOWN =
		1,	     /* a %-letter whose value this caller does not know (prolog: %x %a) */
	CKPT_EXPAND_REFUSED, /* an array's explicit directory without %a or %j; outside RunDirs=;
				too long */
};

/*
 * Writes the directories of @req to @ret, in order, @ret_n of them. %j job id, %A array job id (job
 * id outside of arrays), %a task id (0 outside), %x job name, %u user, %% a percent sign; expanded
 * values lose '/' (become '_'). No explicit directory: default_dir or "checkpoints", below it
 * "%A_%a" in an array. 0; UNKNOWN or REFUSED with @err.
 */
int ckpt_expand_dirs(const struct ckpt_request *req, char (*ret)[CKPT_PATH_MAX], int *ret_n,
		     struct ckpt_error *err);

/*
 * The work directory of @req, borrowed, where it is searched as well when the run directories hold
 * nothing: no option names them, and the default one is not of this job or task alone. Else NULL.
 */
const char *ckpt_expand_fallback(const struct ckpt_request *req);

/*
 * --ckpt-state's directory into @ret of CKPT_PATH_MAX bytes: letters, work directory and arrays as
 * in ckpt_expand_dirs(), whose results it has; RunDirs= is about run directories.
 */
int ckpt_expand_state(const struct ckpt_request *req, char *ret, struct ckpt_error *err);

/* Where the run of @req keeps its state: --ckpt-state's directory, else its run directories. As
 * ckpt_expand_dirs(). */
int ckpt_expand_roots(const struct ckpt_request *req, char (*ret)[CKPT_PATH_MAX], int *ret_n,
		      struct ckpt_error *err);

#endif
