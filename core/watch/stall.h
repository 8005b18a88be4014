/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a job that runs is stuck: no sign of progress for too long. Signs are a checkpoint that is
 * new or has changed, output that grows, processor time, a heartbeat. A job that ever sent a
 * heartbeat has said what counts: then output and processor time do not (a hung collective spins).
 * Time in which nobody watched is no time without progress.
 */
#ifndef CKPT_CORE_WATCH_STALL_H
#define CKPT_CORE_WATCH_STALL_H

#include <stdbool.h>
#include <stdint.h>

#define CKPT_STALL_AUTO 0 /* as the limit: it is learned */
#define CKPT_STALL_AUTO_LEAST_NS ((int64_t)600 * 1000000000)
#define CKPT_STALL_AUTO_TIMES 4	  /* the longest time between two saves (cadence.h) */
#define CKPT_STALL_IDLE_PERCENT 5 /* of one processor: what only waits takes less */

/* What was seen up to now; counters and marks whose change is a sign. */
struct ckpt_signs {
	uint64_t checkpoints;  /* seen new or changed */
	uint64_t output, beat; /* marks of size and time; 0: there is none */
	int64_t cadence_ns;    /* the longest time between two saves; 0: not known yet */
	int64_t cpu_ns;	       /* of all processes of the job; -1: could not be found out */
	bool paused;	       /* the job is suspended */
	bool blind;	       /* files are not seen now */
};

struct ckpt_stall {
	int64_t limit_ns; /* or CKPT_STALL_AUTO */
	int64_t sign_ns;  /* when the last sign came */
	int64_t taken_ns; /* when signs were taken last; 0: never */
	struct ckpt_signs last;
	bool beats;	/* a heartbeat came in this attempt */
	bool was_blind; /* at the last taking */
};

enum ckpt_stall_state {
	CKPT_STALL_GOING,
	CKPT_STALL_BLIND,   /* from now on; said once each time */
	CKPT_STALL_STALLED, /* nothing for the limit */
};

/* Takes @signs at @now_ns (CLOCK_MONOTONIC); @tick_ns is how often this is meant to be called: a
 * much longer pause means that we did not run, and does not count. */
enum ckpt_stall_state ckpt_stall_take(struct ckpt_stall *stall, const struct ckpt_signs *signs,
				      int64_t now_ns, int64_t tick_ns);

/* How long may pass without a sign, as far as known; 0: not known yet (auto). */
int64_t ckpt_stall_limit(const struct ckpt_stall *stall);

#endif
