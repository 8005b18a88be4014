/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_digest_run() of digest.h. Each lane of each worker takes units (a leaf, or a whole file)
 * from a pool, one at a time; whoever enters the last leaf of a chunk makes the chunk's digest. No
 * more chunks are under way than there are lanes, so that memory depends on their number alone.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/sha256_streams.h"
#include "core/base/workers.h"
#include "core/integrity/digest.h"
#include "wire/text.h"

/* A chunk whose leaves are being read; free while n is 0. */
struct slot {
	size_t file;
	uint64_t index; /* of the chunk in its file */
	uint64_t n, done;
	struct ckpt_digest *leaves; /* owned */
};

/* A message of a worker: a leaf or a whole file. */
struct unit {
	size_t file;
	uint64_t off, len;
	struct slot *slot; /* NULL: a whole file's plain digest */
	uint64_t leaf;	   /* its index in the chunk */
};

struct pool {
	const struct ckpt_digest_job *job;
	pthread_mutex_t lock;
	size_t file; /* next to be handed out, from off on */
	uint64_t off;
	struct slot *slot; /* of the chunk that off lies in */
	struct slot *slots;
	size_t n_slots;
	struct ckpt_sha256_plan plan;
	uint64_t done, total; /* bytes, for the progress */
	atomic_bool stop;
	int result; /* first errno, or the answer, which outweighs it */
	struct ckpt_digest_bad bad;
	struct ckpt_error err;
};

/* A file that lanes of one worker read, kept open from unit to unit. */
struct open_file {
	struct ckpt_file file;
	size_t index;
	int users;
};

struct worker {
	struct pool *pool;
	struct open_file files[CKPT_SHA256_LANES];
	struct open_file *reading[CKPT_SHA256_LANES]; /* by lane */
	struct unit units[CKPT_SHA256_LANES];
	struct ckpt_crc_track tracks[CKPT_SHA256_LANES];
};

static bool comes_before(const struct ckpt_digest_bad *a, const struct ckpt_digest_bad *b)
{
	return a->file != b->file ? a->file < b->file : a->off < b->off;
}

/* Bytes that differ in a file that changed meanwhile prove nothing: that outweighs. */
static void pool_reject(struct pool *pool, int result, const struct ckpt_digest_bad *bad)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	if (pool->result < result || (pool->result == result && comes_before(bad, &pool->bad))) {
		pool->result = result;
		pool->bad = *bad;
	}
	pthread_mutex_unlock(&pool->lock);
}

static void pool_fail(struct pool *pool, int code, const struct ckpt_error *err)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	if (pool->result == 0) {
		pool->result = code;
		pool->err = *err;
	}
	pthread_mutex_unlock(&pool->lock);
}

static void changed(struct pool *pool, size_t file)
{
	struct ckpt_digest_bad bad = { .file = file, .len = pool->job->files[file].id.size };

	pool_reject(pool, CKPT_DIGEST_CHANGED, &bad);
}

/* There is one more slot than lanes, and each lane holds at most one leaf. */
static struct slot *free_slot(struct pool *pool)
{
	struct slot *slot = pool->slots;

	while (slot->n != 0)
		slot++;
	return slot;
}

static bool begin_chunk(struct pool *pool, uint64_t size)
{
	uint64_t chunk = pool->job->chunk, left = size - pool->off;
	uint64_t n = ckpt_digest_chunks(left < chunk ? left : chunk, CKPT_DIGEST_LEAF);
	struct slot *slot = free_slot(pool);

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

static bool take_leaf(struct pool *pool, uint64_t size, struct unit *ret)
{
	uint64_t at = pool->off % pool->job->chunk, left = size - pool->off;
	uint64_t len = left < CKPT_DIGEST_LEAF ? left : CKPT_DIGEST_LEAF;

	if (at == 0 && !begin_chunk(pool, size))
		return false;
	*ret = (struct unit) { .file = pool->file,
			       .off = pool->off,
			       .len = len,
			       .slot = pool->slot,
			       .leaf = at / CKPT_DIGEST_LEAF };
	pool->off += len;
	if (pool->off < size)
		return true;
	pool->file++;
	pool->off = 0;
	return true;
}

/* Whether something of what begins at the pool's place is to be read. */
static bool wants_next(const struct pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;

	if (job->chunk && job->files[pool->file].id.size == 0)
		return false;
	if (!job->wants || (job->chunk && pool->off % job->chunk != 0))
		return true;
	return job->wants(job->arg, pool->file, job->chunk ? pool->off / job->chunk : 0);
}

/* Goes on to the next chunk or file that is wanted. */
static void skip_unwanted(struct pool *pool)
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

/* 1 with the next unit, 0 when there is none, -ENOMEM. */
static int take_unit(struct pool *pool, struct unit *ret)
{
	const struct ckpt_digest_job *job = pool->job;

	skip_unwanted(pool);
	if (pool->stop || pool->file >= job->n)
		return 0;
	if (job->chunk)
		return take_leaf(pool, job->files[pool->file].id.size, ret) ? 1 : -ENOMEM;
	*ret = (struct unit) { .file = pool->file, .len = job->files[pool->file].id.size };
	pool->file++;
	return 1;
}

/* Ends the work on a file, which must still be the one that was opened. */
static void close_file(struct pool *pool, struct open_file *open)
{
	struct ckpt_error err = { 0 };
	int r = open->file.fd < 0 ? 1 : ckpt_file_unchanged(&open->file);

	if (r == 0)
		changed(pool, open->index);
	else if (r < 0)
		pool_fail(pool,
			  ckpt_fail(&err, r, "cannot look up %s: %s", CKPT_QUOTE(open->file.name),
				    strerror(-r)),
			  &err);
	ckpt_file_done(&open->file);
}

/* 0, CKPT_DIGEST_CHANGED or an errno. */
static int open_file(struct pool *pool, size_t index, struct open_file *open,
		     struct ckpt_error *err)
{
	const struct ckpt_digest_file *want = &pool->job->files[index];
	int r = ckpt_file_open(pool->job->ctx, pool->job->dirfd, want->name, &open->file, err);

	open->index = index;
	if (r == -ENOENT || r == CKPT_FILE_NOT_REGULAR)
		return CKPT_DIGEST_CHANGED;
	if (r == 0 && !ckpt_identity_same(&open->file.id, &want->id))
		return CKPT_DIGEST_CHANGED;
	return r;
}

/* The file if it is open, or a place for it: there are as many as lanes. */
static struct open_file *place_for(struct worker *self, size_t index)
{
	struct open_file *place = NULL;

	for (int i = 0; i < CKPT_SHA256_LANES; i++) {
		struct open_file *open = &self->files[i];

		if (open->file.fd >= 0 && open->index == index)
			return open;
		if (open->users == 0 && (!place || open->file.fd < 0))
			place = open;
	}
	close_file(self->pool, place);
	return place;
}

/* Opens the file of the lane's unit, unless it is. As open_file(). */
static int use_file(struct worker *self, int lane, struct ckpt_error *err)
{
	size_t index = self->units[lane].file;
	struct open_file *open = place_for(self, index);
	int r = open->file.fd < 0 ? open_file(self->pool, index, open, err) : 0;

	open->users += r == 0;
	self->reading[lane] = open;
	return r;
}

/* Compares or keeps the digest that stands for @bad. */
static void enter(struct pool *pool, const struct ckpt_digest_bad *bad, uint64_t index,
		  const struct ckpt_digest *digest)
{
	struct ckpt_digest *place = &pool->job->files[bad->file].digests[index];

	if (pool->job->done)
		atomic_fetch_add(pool->job->done, 1);
	if (!pool->job->compare)
		*place = *digest;
	else if (memcmp(place->b, digest->b, sizeof(place->b)) != 0)
		pool_reject(pool, CKPT_DIGEST_MISMATCH, bad);
}

/* Enters a leaf; the last one makes the chunk's digest and sets the slot free. */
static int leaf_done(struct pool *pool, const struct unit *unit, const struct ckpt_digest *leaf)
{
	struct slot *slot = unit->slot;
	uint64_t chunk = pool->job->chunk, size = pool->job->files[slot->file].id.size;
	struct ckpt_digest_bad bad = { .file = slot->file, .off = slot->index * chunk };
	struct ckpt_digest digest;
	bool last;

	slot->leaves[unit->leaf] = *leaf;
	pthread_mutex_lock(&pool->lock);
	last = ++slot->done == slot->n;
	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return 0;
	bad.len = size - bad.off < chunk ? size - bad.off : chunk;
	if (ckpt_digest_of(slot->leaves, slot->n * sizeof(*slot->leaves), &digest) < 0)
		return -ENOMEM;
	enter(pool, &bad, slot->index, &digest);
	free(slot->leaves);
	pthread_mutex_lock(&pool->lock);
	slot->leaves = NULL;
	slot->n = 0;
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

static void whole_done(struct pool *pool, const struct unit *unit, const struct ckpt_digest *digest)
{
	struct ckpt_digest_bad bad = { .file = unit->file, .len = unit->len };

	enter(pool, &bad, 0, digest);
}

static void no_memory(struct pool *pool)
{
	struct ckpt_error err = { 0 };

	pool_fail(pool, ckpt_fail(&err, -ENOMEM, "no memory for digests"), &err);
}

static void show_progress(struct pool *pool, const struct unit *unit)
{
	const struct ckpt_ctx *ctx = pool->job->ctx;

	if (ctx->progress)
		ctx->progress(ctx->progress_arg, pool->job->files[unit->file].name, pool->done,
			      pool->total);
	pool->done += unit->len;
}

static bool next(void *arg, int lane, struct ckpt_sha256_message *ret)
{
	struct worker *self = arg;
	struct pool *pool = self->pool;
	struct unit *unit = &self->units[lane];
	struct ckpt_error err = { 0 };
	int r;

	pthread_mutex_lock(&pool->lock);
	r = take_unit(pool, unit);
	if (r > 0)
		show_progress(pool, unit);
	pthread_mutex_unlock(&pool->lock);
	if (r < 0)
		no_memory(pool);
	if (r <= 0)
		return false;
	r = use_file(self, lane, &err);
	if (r == CKPT_DIGEST_CHANGED)
		changed(pool, unit->file);
	else if (r < 0)
		pool_fail(pool, r, &err);
	*ret = (struct ckpt_sha256_message) { &self->reading[lane]->file, unit->off, unit->len };
	if (r == 0 && pool->job->crcs)
		ckpt_crc_track_begin(&self->tracks[lane], pool->job->crcs,
				     &pool->job->files[unit->file].id, unit->off);
	return r == 0;
}

static void done(void *arg, int lane, int result, const uint8_t *bytes,
		 const struct ckpt_error *err)
{
	struct worker *self = arg;
	const struct unit *unit = &self->units[lane];
	struct ckpt_digest digest;

	ckpt_crc_track_end(&self->tracks[lane]);
	self->reading[lane]->users--;
	memcpy(digest.b, bytes, sizeof(digest.b));
	if (result == CKPT_FILE_SHORT)
		changed(self->pool, unit->file);
	else if (result < 0 && result != -ECANCELED)
		pool_fail(self->pool, result, err);
	else if (result == 0 && !unit->slot)
		whole_done(self->pool, unit, &digest);
	else if (result == 0 && leaf_done(self->pool, unit, &digest) < 0)
		no_memory(self->pool);
}

static void take_crc(void *arg, int lane, const uint8_t *data, size_t len)
{
	struct worker *self = arg;

	ckpt_crc_track_take(&self->tracks[lane], data, len);
}

static bool stopped(void *arg)
{
	struct worker *self = arg;

	return self->pool->stop;
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	const struct ckpt_sha256_source source = { .next = next,
						   .done = done,
						   .bytes = self->pool->job->crcs ? take_crc : NULL,
						   .stop = stopped,
						   .arg = self };

	if (ckpt_sha256_streams(&source, &self->pool->plan) < 0)
		no_memory(self->pool);
	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		close_file(self->pool, &self->files[i]);
	return NULL;
}

static int threads_of(const struct ckpt_ctx *ctx)
{
	int n = ckpt_ctx_threads(ctx);

	return n < CKPT_WORKERS_MAX ? n : CKPT_WORKERS_MAX;
}

bool ckpt_digest_tells(const struct ckpt_ctx *ctx, uint64_t size)
{
	return ckpt_sha256_plan(size / CKPT_DIGEST_LEAF, threads_of(ctx)).lanes > 1;
}

static void count(struct pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;
	uint64_t units = 0;

	for (size_t i = 0; i < job->n; i++) {
		uint64_t size = job->files[i].id.size;

		pool->total += size;
		units += job->chunk ? ckpt_digest_chunks(size, CKPT_DIGEST_LEAF) : 1;
	}
	pool->plan = ckpt_sha256_plan(units, threads_of(job->ctx));
}

static void pool_done(struct pool *pool)
{
	for (size_t i = 0; pool->slots && i < pool->n_slots; i++)
		free(pool->slots[i].leaves);
	free(pool->slots);
	pthread_mutex_destroy(&pool->lock);
}
#define _cleanup_pool_ _cleanup_(pool_done)

static void init_workers(struct pool *pool, struct worker *workers, int n)
{
	for (int i = 0; i < n; i++) {
		workers[i].pool = pool;
		for (int k = 0; k < CKPT_SHA256_LANES; k++)
			workers[i].files[k].file = (struct ckpt_file)CKPT_FILE_INIT;
	}
}

int ckpt_digest_run(const struct ckpt_digest_job *job, struct ckpt_digest_bad *ret_bad,
		    struct ckpt_error *err)
{
	_cleanup_pool_ struct pool pool = { .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };
	_cleanup_free_ struct worker *workers = NULL;
	int n;

	count(&pool);
	n = pool.plan.threads;
	workers = calloc((size_t)n, sizeof(*workers));
	pool.n_slots = (size_t)(n * pool.plan.lanes) + 1;
	pool.slots = calloc(pool.n_slots, sizeof(*pool.slots));
	if (!workers || !pool.slots)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	init_workers(&pool, workers, n);
	ckpt_workers_run(worker_main, workers, sizeof(*workers), n);
	if (pool.result > 0)
		*ret_bad = pool.bad;
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}
