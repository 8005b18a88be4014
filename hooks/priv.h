/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from root to the user, for good: the only file that changes ids. Runs in the child that
 * is about to become the agent, so that a user database that hangs costs the agent's budget and
 * nothing else.
 */
#ifndef CKPT_HOOKS_PRIV_H
#define CKPT_HOOKS_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who the child becomes. */
struct ckpt_priv {
	uid_t uid;
	gid_t gid;
	pid_t parent;	     /* the process with which the child dies */
	int64_t cpu_seconds; /* RLIMIT_CPU */
	bool behind;	     /* behind every job in the queues for CPU and disk */
};

/*
 * Becomes the user of @arg, a struct ckpt_priv: groups, gid, uid; proves that root cannot be had
 * back; then no new privileges, not dumpable, dies with its parent, limits, priority, umask 077. 0,
 * or a negative errno: the caller must not go on to exec. (Descriptors, cwd and signals are
 * wire/launch's.) Without root it changes no id and succeeds only as that very user.
 */
int ckpt_priv_drop(void *arg);

#endif
