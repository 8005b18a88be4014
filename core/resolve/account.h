/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of a checkpoint, for a person who has to act: which attempt saved it, which older one
 * stands in for it and what that costs, and whether it looks like its elders.
 *
 * A checkpoint that is under half of the size of all of its elders is suspicious, whatever
 * checksums its format has: they prove that it is what was saved, not that all was. It is said and
 * never acted upon: a run that drops its optimizer state, or saves its weights in another type,
 * looks the same, and passing it over would throw progress away.
 */
#ifndef CKPT_CORE_RESOLVE_ACCOUNT_H
#define CKPT_CORE_RESOLVE_ACCOUNT_H

#include "core/resolve/resolve.h"

#define CKPT_ACCOUNT_ELDERS 4 /* sets of the same series that are compared */

struct ckpt_account {
	const struct ckpt_set *instead; /* the newest older one whose structure is whole, or NULL */
	bool has_steps, has_epochs;
	int64_t steps; /* how far the other is behind; where the content is not known, by how far
			  that one is from the one before it */
	double epochs;
	int64_t seconds; /* between the times of the two; "about": no clock is a witness */
	int elders;	 /* that were compared */
	uint64_t size;	 /* of the set, members together */
	uint64_t smallest, largest; /* of the elders */
	bool known_attempt;
	int64_t job_id, attempt; /* the last one that began before the set was written */
	int save; /* of its series in that attempt, 1 the first, as far as they are there; 0: not
		     known */
	char suspicion[768]; /* a sentence for each difference; empty: none */
};

/*
 * Compares @set with its elders, the older sets of its series in @cat (which a scan made), and
 * reads the ledger in @run_dir (NULL: none). Elders are verified by structure until one is whole,
 * or two. Never fails: what could not be found out stays empty.
 */
void ckpt_account(struct ckpt_ctx *ctx, struct ckpt_catalog *cat, struct ckpt_set *set,
		  const char *run_dir, struct ckpt_account *ret);

/* The size alone, as a sentence about @set in @buf; "" where nothing is suspicious. A stat of each
 * elder. Returns @buf. */
const char *ckpt_account_size(const struct ckpt_catalog *cat, const struct ckpt_set *set, char *buf,
			      size_t size);

/* "about 1 epoch, 500 steps, 12m05s of work"; "" where nothing is known. Returns @buf. */
const char *ckpt_account_cost(const struct ckpt_account *account, char *buf, size_t size);

#endif
