/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often work may be done that must cost no more than a given part of one processor over time:
 * what was spent has to be rested for.
 */
#ifndef CKPT_CORE_WATCH_PACE_H
#define CKPT_CORE_WATCH_PACE_H

#include <stdint.h>

struct ckpt_pace {
	int64_t per;	    /* nanoseconds of rest for each one of work */
	int64_t longest_ns; /* the longest rest: what is beyond is forgiven */
	int64_t ready_ns;   /* when the next work may begin; 0 at first */
};

/* Notes that work which ended at @now_ns took @spent_ns of processor time. */
void ckpt_pace_spend(struct ckpt_pace *pace, int64_t spent_ns, int64_t now_ns);

#endif
