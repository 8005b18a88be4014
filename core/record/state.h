/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .ckpt-resume/ of a run directory: the place of the mark, the ledger and the lock. A run with
 * several directories has several, read as a union.
 */
#ifndef CKPT_CORE_RECORD_STATE_H
#define CKPT_CORE_RECORD_STATE_H

#include "wire/error.h"

#define CKPT_STATE_DIR ".ckpt-resume"

enum ckpt_state_result {
	CKPT_STATE_ABSENT = 1,
	CKPT_STATE_TORN, /* unreadable as what it should be: *err says how; law 6 applies */
};

/* Opens @dirfd/.ckpt-resume. Descriptor; -ENOENT; or an errno. Never creates. */
int ckpt_state_open(int dirfd, struct ckpt_error *err);

/* Makes and opens it, mode 0700. Descriptor or an errno (-EROFS, -EACCES, -ENOSPC ...). */
int ckpt_state_make(int dirfd, struct ckpt_error *err);

/* Opens that of the run directory @root. As ckpt_state_open(), or an errno of opening @root. */
int ckpt_state_open_in(const char *root, struct ckpt_error *err);

/* Makes and opens it, and the absolute @root with its parents where they are missing. Descriptor or
 * an errno. */
int ckpt_state_make_in(const char *root, struct ckpt_error *err);

#endif
