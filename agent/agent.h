/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of ckpt-agent, the process that does all work on a user's files, always as that user.
 */
#ifndef CKPT_AGENT_AGENT_H
#define CKPT_AGENT_AGENT_H

#include "core/resolve/resolve.h"

/*
 * Gives up for good what a process that reads hostile files needs not: exec, other processes,
 * leaving its group or outliving its parent, ptrace, sockets, mounts, keys (libseccomp; EPERM).
 * 0, or an errno with @err: then the agent must not go on.
 */
int ckpt_confine(struct ckpt_error *err);

/*
 * Runs the run configuration's model.fetch as the user, without a shell, in its directory (made
 * when missing), and waits for it. 0 with the directory in @ret (CKPT_PATH_MAX bytes);
 * CKPT_FETCH_FAILED with @err when it ended badly; or an errno.
 */
enum ckpt_fetch_result { CKPT_FETCH_FAILED = 1 };
int ckpt_fetch(const struct ckpt_run_config *config, const char *run_dir, char *ret,
	       struct ckpt_error *err);

#endif
