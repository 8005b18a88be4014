/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock of a run directory: one live run at a time. It dies with its holder.
 */
#ifndef CKPT_CORE_RECORD_LOCK_H
#define CKPT_CORE_RECORD_LOCK_H

#include "wire/error.h"

#define CKPT_LOCK "lock"

/*
 * Takes the run directory's lock (`lock` in @statefd, fcntl OFD write lock) for up to @wait_ms.
 * Returns a descriptor whose closing releases it; -EAGAIN when another holds it; or an errno. File
 * systems that cannot lock answer -EINVAL, -ENOLCK or -EOPNOTSUPP: what that is worth is the
 * caller's decision.
 */
int ckpt_state_lock(int statefd, int wait_ms, struct ckpt_error *err);

/* The same of another lock of the state directory, the file @name. */
int ckpt_state_lock_named(int statefd, const char *name, int wait_ms, struct ckpt_error *err);

#endif
