/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose attempt a ledger line is about. Job ids repeat: the attempts of one job in one run are a
 * group. A line that names no cluster or no run is of the last group that it does not contradict.
 */
#ifndef CKPT_CORE_RESOLVE_HISTORY_GROUP_H
#define CKPT_CORE_RESOLVE_HISTORY_GROUP_H

#include <stddef.h>
#include <stdint.h>

/* A job in a run; what no line has named yet is empty. */
struct ckpt_history_group {
	int64_t job_id;
	char cluster[64], run[40];
};

struct ckpt_history_groups {
	struct ckpt_history_group *list; /* owned; for free() */
	size_t n;
};

/* The place of the group of @who, or -1. Those made last are asked first. */
int ckpt_history_group_find(const struct ckpt_history_groups *groups,
			    const struct ckpt_history_group *who);

/* Makes room for @who behind the others; its place, or -ENOMEM. */
int ckpt_history_group_add(struct ckpt_history_groups *groups,
			   const struct ckpt_history_group *who);

/* Takes from @who what was not known of the group at @place. */
void ckpt_history_group_learn(struct ckpt_history_groups *groups, int place,
			      const struct ckpt_history_group *who);

#endif
