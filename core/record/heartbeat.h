/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heartbeat of a run: an empty file whose time of change says that the program lives.
 */
#ifndef CKPT_CORE_RECORD_HEARTBEAT_H
#define CKPT_CORE_RECORD_HEARTBEAT_H

#include "core/record/state.h"

/* In the state directory. */
#define CKPT_HEARTBEAT "heartbeat"

/*
 * Makes @name below @dirfd (AT_FDCWD is allowed) if it is missing and sets its time to now, by the
 * clock of the file system. Nothing is synced: a beat that a crash loses says the truth. 0 or an
 * errno.
 */
int ckpt_heartbeat_touch(int dirfd, const char *name, struct ckpt_error *err);

#endif
