/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See digest_pool.h. Units are handed out in the order of the files and of their bytes.
 */
#include "core/integrity/digest_pool.h"

#include <errno.h>
#include <stdlib.h>

/* Each lane holds at most one leaf, and each worker one batch; there is one slot more. */
static struct ckpt_digest_slot *free_slot(struct ckpt_digest_pool *pool)
{
	struct ckpt_digest_slot *slot = pool->slots;

	while (slot->n != 0)
		slot++;
	return slot;
}

static bool begin_chunk(struct ckpt_digest_pool *pool, uint64_t size)
{
	uint64_t chunk = pool->job->chunk, left = size - pool->off;
	uint64_t n = ckpt_digest_chunks(left < chunk ? left : chunk, CKPT_DIGEST_LEAF);
	struct ckpt_digest_slot *slot = free_slot(pool);

	slot->leaves = malloc((size_t)n * sizeof(*slot->leaves));
	if (!slot->leaves)
		return false;
	slot->file = pool->file;
	slot->index = pool->off / chunk;
	slot->n = n;
	slot->done = 0;
	pool->slot = slot;
	return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool take_batch(struct ckpt_digest_pool *pool, uint64_t size, struct ckpt_digest_batch *ret)
{
	uint64_t chunk = pool->job->chunk, at = pool->off % chunk;
	uint64_t most = least(chunk - at, (uint64_t)pool->plan.lanes * CKPT_DIGEST_LEAF);

	if (at == 0 && !begin_chunk(pool, size))
		return false;
	*ret = (struct ckpt_digest_batch) { .file = pool->file,
					    .off = pool->off,
					    .end = pool->off + least(most, size - pool->off),
					    .slot = pool->slot };
	pool->off = ret->end;
	if (pool->off < size)
		return true;
	pool->file++;
	pool->off = 0;
	return true;
}

static void take_leaf(struct ckpt_digest_batch *batch, uint64_t chunk, struct ckpt_digest_unit *ret)
{
	*ret = (struct ckpt_digest_unit) { .file = batch->file,
					   .off = batch->off,
					   .len = least(batch->end - batch->off, CKPT_DIGEST_LEAF),
					   .slot = batch->slot,
					   .leaf = batch->off % chunk / CKPT_DIGEST_LEAF };
	batch->off += ret->len;
}

/* Whether something of what begins at the pool's place is to be read. */
static bool wants_next(const struct ckpt_digest_pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;

	if (job->chunk && job->files[pool->file].id.size == 0)
		return false;
	if (!job->wants || (job->chunk && pool->off % job->chunk != 0))
		return true;
	return job->wants(job->arg, pool->file, job->chunk ? pool->off / job->chunk : 0);
}

/* Goes on to the next chunk or file that is wanted. */
static void skip_unwanted(struct ckpt_digest_pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;

	while (pool->file < job->n && !wants_next(pool)) {
		uint64_t left = job->files[pool->file].id.size - pool->off;

		pool->off += job->chunk;
		if (job->chunk && left > job->chunk)
			continue;
		pool->file++;
		pool->off = 0;
	}
}

int ckpt_digest_take(struct ckpt_digest_pool *pool, struct ckpt_digest_batch *batch,
		     struct ckpt_digest_unit *ret)
{
	const struct ckpt_digest_job *job = pool->job;

	if (pool->stop)
		return 0;
	if (batch->off == batch->end) {
		skip_unwanted(pool);
		if (pool->file >= job->n)
			return 0;
		if (job->chunk && !take_batch(pool, job->files[pool->file].id.size, batch))
			return -ENOMEM;
	}
	if (job->chunk) {
		take_leaf(batch, job->chunk, ret);
		return 1;
	}
	*ret = (struct ckpt_digest_unit) { .file = pool->file,
					   .len = job->files[pool->file].id.size };
	pool->file++;
	return 1;
}

void ckpt_digest_pool_done(struct ckpt_digest_pool *pool)
{
	for (size_t i = 0; pool->slots && i < pool->n_slots; i++)
		free(pool->slots[i].leaves);
	free(pool->slots);
	pthread_mutex_destroy(&pool->lock);
}
