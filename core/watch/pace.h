/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often work may be done that must cost no more than a given part of one processor over time:
 * what was spent has to be rested for. And when what failed is tried again.
 */
#ifndef CKPT_CORE_WATCH_PACE_H
#define CKPT_CORE_WATCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct ckpt_pace {
	int64_t per;	    /* nanoseconds of rest for each one of work */
	int64_t longest_ns; /* the longest rest: what is beyond is forgiven */
	int64_t ready_ns;   /* when the next work may begin; 0 at first */
};

/* What failed and is tried again, later each time: after 15 s, 30 s, a minute, and so on to an
 * hour. All zero: it may be tried. */
struct ckpt_retry {
	int64_t next_ns; /* INT64_MAX: never again */
	int failures;
};

#define CKPT_RETRY_LEAST_NS ((int64_t)15 * 1000000000)
#define CKPT_RETRY_LONGEST_NS ((int64_t)3600 * 1000000000)

/* Whether it may be tried at @now_ns. */
bool ckpt_retry_is_due(const struct ckpt_retry *retry, int64_t now_ns);

/* Notes that it failed, as of @now_ns. */
void ckpt_retry_failed(struct ckpt_retry *retry, int64_t now_ns);

/* Notes that it is not to be tried again. */
void ckpt_retry_never(struct ckpt_retry *retry);

/* Notes that work which ended at @now_ns took @spent_ns of processor time. */
void ckpt_pace_spend(struct ckpt_pace *pace, int64_t spent_ns, int64_t now_ns);

#endif
