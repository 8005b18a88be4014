/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of ckpt-companion. Three processes, so that nothing that a file or a file system does can
 * hold the one that has to end with the job: the first one has the lifeline and touches no file of
 * the user; the watcher looks at the run directories; and for each checkpoint that is due a child
 * of it reads, seals and records. Each dies with the one before it.
 */
#ifndef CKPT_AGENT_COMPANION_H
#define CKPT_AGENT_COMPANION_H

#include "core/watch/look.h"
#include "wire/request.h"

/* The watcher: does not return. @req is checked. */
__attribute__((noreturn)) void ckpt_companion_watch(const struct ckpt_request *req);

/*
 * Looks into @set: whether anybody writes it, its structure, then all of it; seals it, and records
 * what was found. @last: a rejection is recorded too. Reads by two threads.
 */
enum ckpt_watch_outcome ckpt_companion_check(const struct ckpt_request *req, struct ckpt_set *set,
					     bool last);

/* To be the first to be killed where memory is short, and the last to run. */
void ckpt_companion_stand_back(void);

/* Has the calling process killed when its parent, which was @parent, ends. */
void ckpt_companion_die_with(int parent);

#endif
