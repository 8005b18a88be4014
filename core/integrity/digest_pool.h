/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the workers of ckpt_digest_run() share: which units are still to be read, and what came of
 * those that were. Leaves are handed out as many at once as a worker has lanes, so that its lanes
 * read neighbours. No more chunks are under way than there are lanes and batches, so that memory
 * depends on their number alone.
 */
#ifndef CKPT_CORE_INTEGRITY_DIGEST_POOL_H
#define CKPT_CORE_INTEGRITY_DIGEST_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/sha256_streams.h"
#include "core/integrity/digest.h"
#include "wire/cleanup.h"

/* A chunk whose leaves are being read; free while n is 0. */
struct ckpt_digest_slot {
	size_t file;
	uint64_t index; /* of the chunk in its file */
	uint64_t n, done;
	struct ckpt_digest *leaves; /* owned */
};

/* A message of a worker: a leaf or a whole file. */
struct ckpt_digest_unit {
	size_t file;
	uint64_t off, len;
	struct ckpt_digest_slot *slot; /* NULL: a whole file's plain digest */
	uint64_t leaf;		       /* its index in the chunk */
};

/* Leaves of one chunk that are a worker's, none of whose lanes has taken them yet. */
struct ckpt_digest_batch {
	size_t file;
	uint64_t off, end;
	struct ckpt_digest_slot *slot;
};

struct ckpt_digest_pool {
	const struct ckpt_digest_job *job;
	pthread_mutex_t lock;
	size_t file; /* next to be handed out, from off on */
	uint64_t off;
	struct ckpt_digest_slot *slot; /* of the chunk that off lies in */
	struct ckpt_digest_slot *slots;
	size_t n_slots;
	struct ckpt_sha256_plan plan;
	uint64_t done, total; /* bytes, for the progress */
	atomic_bool stop;
	int result; /* first errno, or the answer, which outweighs it */
	struct ckpt_digest_bad bad;
	struct ckpt_error err;
};

/*
 * Takes the next unit, from @batch of that worker or with a new batch from the pool, whose lock is
 * held. 1 with it, 0 when there is none or the work was stopped, -ENOMEM.
 */
int ckpt_digest_take(struct ckpt_digest_pool *pool, struct ckpt_digest_batch *batch,
		     struct ckpt_digest_unit *ret);

/* Frees the slots, and what is in them, and the lock. */
void ckpt_digest_pool_done(struct ckpt_digest_pool *pool);
#define _cleanup_pool_ _cleanup_(ckpt_digest_pool_done)

#endif
