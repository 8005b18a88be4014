/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters for the site as a Prometheus text file (node_exporter's textfile collector), kept by
 * root. Numbers only: labels come from fixed tables and, for a format, from a short word of
 * [a-z0-9-].
 */
#ifndef CKPT_HOOKS_METRICS_H
#define CKPT_HOOKS_METRICS_H

#include <stdint.h>

#include "wire/error.h"

/* Series that the file may have: what an agent could make up is bounded. */
#define CKPT_METRICS_SERIES 512
#define CKPT_METRICS_LOCK_NS ((int64_t)300000000) /* most time for the lock */

/* One attempt that ended here. */
struct ckpt_metrics_end {
	const char *mode;	 /* of its decision: "resume", ...; "" where it is not known */
	const char *cause;	 /* ckpt_cause_name() */
	const char *rejected[2]; /* `rejected` of its start's decision and its end's; NULL: none */
	int64_t verify_ms;	 /* that checks at both took */
	int64_t lost_s;		 /* of work that has to be done again, about */
};

/*
 * Adds @end to the counters in @path, which lies in a directory of the euid that no other can
 * write. Reads its own file back, strictly; one that is torn or foreign begins at zero. Written
 * whole or not at all. Two at once take turns by PATH.lock. 0; -EPERM: the directory is not ours
 * alone; -ETIMEDOUT: the lock; or an errno. Any failure costs the counters this end, nothing more.
 */
int ckpt_metrics_count(const char *path, const struct ckpt_metrics_end *end,
		       struct ckpt_error *err);

#endif
