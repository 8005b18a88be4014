/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every program of ours that is started on a user's behalf begins with: an environment made
 * from nothing, default signals, no descriptors but those that were arranged. Shared by launch.c
 * and detach.c; nobody else includes this.
 */
#ifndef CKPT_WIRE_LAUNCH_CHILD_H
#define CKPT_WIRE_LAUNCH_CHILD_H

#include "wire/request.h"

/*
 * PATH, LANG=C, the rows of @req as CKPT_REQUEST_*, and @more ("NAME=VALUE", NULL-terminated; may
 * be NULL). The caller frees it by ckpt_child_env_free(); NULL = no memory.
 */
char **ckpt_child_env(const struct ckpt_request *req, const char *const *more);

/* Frees it; NULL is fine. */
void ckpt_child_env_free(char **envp);

/* A copy of @fd at @least or above, closed on exec. Descriptor or an errno. */
int ckpt_child_raise_fd(int fd, int least);

/* The highest descriptor that may be open, for ckpt_child_close_from(). */
int ckpt_child_last_fd(void);

/* Default actions for all signals, none blocked. Async-signal-safe. */
void ckpt_child_reset_signals(void);

/* Closes @first and all descriptors above. Async-signal-safe. */
void ckpt_child_close_from(int first, int last);

#endif
