/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often a run saves: the longest time between two of its checkpoints within one attempt. Only
 * whole checkpoints count, by the times of their files, so that neither the time a check took nor
 * files that grow for a minute make one; what is saved within a minute (a numbered one, the last,
 * the best) is one save.
 */
#ifndef CKPT_CORE_WATCH_CADENCE_H
#define CKPT_CORE_WATCH_CADENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/request.h"

#define CKPT_CADENCE_ONE_NS ((int64_t)60 * 1000000000)

/* All zero at first. */
struct ckpt_cadence {
	int64_t longest_ns; /* 0: two saves were not seen yet */
	int64_t saved_ns;   /* the last save, on the clock of its files */
	int64_t job_id, attempt;
	bool begun; /* there is a last save */
};

/* Takes a whole checkpoint of the attempt of @req that was written at @saved_ns, its files' latest
 * mtime. An older one than the last changes nothing. */
void ckpt_cadence_take(struct ckpt_cadence *cadence, const struct ckpt_request *req,
		       int64_t saved_ns);

/*
 * Learns from the ledger in @statefd what the attempts of @req's run did up to now: those with the
 * id @run, or, where one has none, those of @req's job. 0, also without a ledger; or an errno.
 */
int ckpt_cadence_learn(struct ckpt_cadence *cadence, const struct ckpt_request *req,
		       const char *run, int statefd);

#endif
