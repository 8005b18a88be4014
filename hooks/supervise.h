/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor: what slurmd runs. It forks the worker, relays its log lines and sees to it that
 * the hook ends in time: a worker that crashes, hangs or leaves processes behind costs a line in
 * the log, never the node.
 */
#ifndef CKPT_HOOKS_SUPERVISE_H
#define CKPT_HOOKS_SUPERVISE_H

#include <stdatomic.h>
#include <stdint.h>

#define CKPT_SUPERVISE_FIRST_MS 2000 /* until the worker has read the configuration */
#define CKPT_SUPERVISE_MARGIN_MS 700 /* beyond the budget, for the spool and for killing */
#define CKPT_SUPERVISE_MAX_MS 300000 /* whatever the configuration says */

/* When the worker is killed (CLOCK_MONOTONIC, ns), shared by both processes. */
struct ckpt_supervise_clock {
	int64_t begin_ns;
	_Atomic int64_t deadline_ns;
};

/* Grants the worker @budget_ms since the hook's start, plus the margin. Returns the end of the
 * budget itself (CLOCK_MONOTONIC, ns), by which the worker's own work should be done. */
int64_t ckpt_supervise_grant(struct ckpt_supervise_clock *clock, int64_t budget_ms);

/* The work; runs in the worker, with /dev/null as fds 0 to 2 and ckpt_log() going to the
 * supervisor. */
typedef void ckpt_supervise_fn(struct ckpt_supervise_clock *clock, void *arg);

/*
 * Runs @work in a worker and returns when it has ended or been killed, and its descendants with it.
 * Also returns, with a line in the log, when nothing could be started. One call a process.
 */
void ckpt_supervise(ckpt_supervise_fn *work, void *arg);

#endif
