/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_digest_run() of digest.h. Each lane of each worker takes units (a leaf, or a whole file)
 * from a pool (digest_pool.h), one at a time; whoever enters the last leaf of a chunk makes the
 * chunk's digest.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/pages.h"
#include "core/base/sha256_streams.h"
#include "core/base/workers.h"
#include "core/integrity/digest_plan.h"
#include "core/integrity/digest_pool.h"
#include "wire/text.h"

#define AHEAD_THREADS 3 /* windows of 48 MiB together */

/* A file that lanes of one worker read, kept open from unit to unit. */
struct open_file {
	struct ckpt_file file;
	size_t index;
	int users;
};

struct worker {
	struct ckpt_digest_pool *pool;
	struct open_file files[CKPT_SHA256_LANES];
	struct open_file *reading[CKPT_SHA256_LANES]; /* by lane */
	struct ckpt_digest_unit units[CKPT_SHA256_LANES];
	struct ckpt_digest_batch batch;
	struct ckpt_crc_track tracks[CKPT_SHA256_LANES];
};

static bool comes_before(const struct ckpt_digest_bad *a, const struct ckpt_digest_bad *b)
{
	return a->file != b->file ? a->file < b->file : a->off < b->off;
}

/* Bytes that differ in a file that changed meanwhile prove nothing: that outweighs. */
static void pool_reject(struct ckpt_digest_pool *pool, int result,
			const struct ckpt_digest_bad *bad)
{
	const struct ckpt_digest_job *job = pool->job;

	pthread_mutex_lock(&pool->lock);
	if (result == CKPT_DIGEST_MISMATCH && job->differs)
		job->differs(job->arg, bad);
	else
		pool->stop = true;
	if (pool->result < result || (pool->result == result && comes_before(bad, &pool->bad))) {
		pool->result = result;
		pool->bad = *bad;
	}
	pthread_mutex_unlock(&pool->lock);
}

static void pool_fail(struct ckpt_digest_pool *pool, int code, size_t file,
		      const struct ckpt_error *err)
{
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	if (pool->result == 0) {
		pool->result = code;
		pool->bad = (struct ckpt_digest_bad) { .file = file };
		pool->err = *err;
	}
	pthread_mutex_unlock(&pool->lock);
}

static void cannot(struct ckpt_digest_pool *pool, int code, size_t file)
{
	struct ckpt_error err = { 0 };

	pool_fail(pool, ckpt_fail(&err, code, "cannot compute digests: %s", strerror(-code)), file,
		  &err);
}

static void changed(struct ckpt_digest_pool *pool, size_t file)
{
	struct ckpt_digest_bad bad = { .file = file, .len = pool->job->files[file].id.size };

	pool_reject(pool, CKPT_DIGEST_CHANGED, &bad);
}

/* Ends the work on a file, which must still be the one that was opened. */
static void close_file(struct ckpt_digest_pool *pool, struct open_file *open)
{
	struct ckpt_error err = { 0 };
	int r = open->file.fd < 0 ? 1 : ckpt_file_unchanged(&open->file);

	if (r == 0)
		changed(pool, open->index);
	else if (r < 0)
		pool_fail(pool,
			  ckpt_fail(&err, r, "cannot look up %s: %s", CKPT_QUOTE(open->file.name),
				    strerror(-r)),
			  open->index, &err);
	ckpt_file_done(&open->file);
}

/* 0, CKPT_DIGEST_CHANGED or an errno. */
static int open_file(struct ckpt_digest_pool *pool, size_t index, struct open_file *open,
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
static void enter(struct ckpt_digest_pool *pool, const struct ckpt_digest_bad *bad, uint64_t index,
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
static void leaf_done(struct ckpt_digest_pool *pool, const struct ckpt_digest_unit *unit,
		      const struct ckpt_digest *leaf)
{
	struct ckpt_digest_slot *slot = unit->slot;
	uint64_t chunk = pool->job->chunk, size = pool->job->files[slot->file].id.size;
	struct ckpt_digest_bad bad = { .file = slot->file, .off = slot->index * chunk };
	struct ckpt_digest digest;
	bool last;
	int r;

	slot->leaves[unit->leaf] = *leaf;
	pthread_mutex_lock(&pool->lock);
	last = ++slot->done == slot->n;
	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return;
	bad.len = size - bad.off < chunk ? size - bad.off : chunk;
	r = ckpt_digest_of(slot->leaves, slot->n * sizeof(*slot->leaves), &digest);
	if (r < 0) {
		cannot(pool, r, bad.file);
		return;
	}
	enter(pool, &bad, slot->index, &digest);
	free(slot->leaves);
	pthread_mutex_lock(&pool->lock);
	slot->leaves = NULL;
	slot->n = 0;
	pthread_mutex_unlock(&pool->lock);
}

static void whole_done(struct ckpt_digest_pool *pool, const struct ckpt_digest_unit *unit,
		       const struct ckpt_digest *digest)
{
	struct ckpt_digest_bad bad = { .file = unit->file, .len = unit->len };

	enter(pool, &bad, 0, digest);
}

static void show_progress(struct ckpt_digest_pool *pool, const struct ckpt_digest_unit *unit)
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
	struct ckpt_digest_pool *pool = self->pool;
	struct ckpt_digest_unit *unit = &self->units[lane];
	struct ckpt_error err = { 0 };
	int r;

	pthread_mutex_lock(&pool->lock);
	r = ckpt_digest_take(pool, &self->batch, unit);
	if (r > 0)
		show_progress(pool, unit);
	pthread_mutex_unlock(&pool->lock);
	if (r < 0)
		cannot(pool, r, 0);
	if (r <= 0)
		return false;
	r = use_file(self, lane, &err);
	if (r == CKPT_DIGEST_CHANGED)
		changed(pool, unit->file);
	else if (r < 0)
		pool_fail(pool, r, unit->file, &err);
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
	const struct ckpt_digest_unit *unit = &self->units[lane];
	struct ckpt_digest digest;

	ckpt_crc_track_end(&self->tracks[lane]);
	self->reading[lane]->users--;
	memcpy(digest.b, bytes, sizeof(digest.b));
	if (result == CKPT_FILE_SHORT)
		changed(self->pool, unit->file);
	else if (result < 0 && result != -ECANCELED && err && err->text[0])
		pool_fail(self->pool, result, unit->file, err);
	else if (result < 0 && result != -ECANCELED)
		cannot(self->pool, result, unit->file); /* reading says why itself */
	else if (result == 0 && !unit->slot)
		whole_done(self->pool, unit, &digest);
	else if (result == 0)
		leaf_done(self->pool, unit, &digest);
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

/* Leaves that are neighbours; and few enough threads: their windows are resident memory, and each
 * that is given up interrupts the others. */
static bool fetches_ahead(const struct ckpt_digest_pool *pool)
{
	return pool->job->chunk && pool->plan.threads <= AHEAD_THREADS;
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	const struct ckpt_sha256_source source = { .next = next,
						   .done = done,
						   .bytes = self->pool->job->crcs ? take_crc : NULL,
						   .stop = stopped,
						   .arg = self,
						   .ahead = fetches_ahead(self->pool) };
	int r = ckpt_sha256_streams(&source, &self->pool->plan);

	if (r < 0)
		cannot(self->pool, r, 0);
	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		close_file(self->pool, &self->files[i]);
	return NULL;
}

static void count(struct ckpt_digest_pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;
	uint64_t units = 0;

	for (size_t i = 0; i < job->n; i++) {
		uint64_t size = job->files[i].id.size;

		pool->total += size;
		units += job->chunk ? ckpt_digest_chunks(size, CKPT_DIGEST_LEAF) : 1;
	}
	ckpt_pages_expect(job->ctx, pool->total, false);
	pool->plan = ckpt_digest_plan(job, units);
}

static void init_workers(struct ckpt_digest_pool *pool, struct worker *workers, int n)
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
	_cleanup_pool_ struct ckpt_digest_pool pool = { .job = job,
							.lock = PTHREAD_MUTEX_INITIALIZER };
	_cleanup_free_ struct worker *workers = NULL;
	int n;

	count(&pool);
	n = pool.plan.threads;
	workers = calloc((size_t)n, sizeof(*workers));
	pool.n_slots = (size_t)n * ((size_t)pool.plan.lanes + 1) + 1;
	pool.slots = calloc(pool.n_slots, sizeof(*pool.slots));
	if (!workers || !pool.slots)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	init_workers(&pool, workers, n);
	ckpt_workers_run(worker_main, workers, sizeof(*workers), n);
	if (pool.result != 0)
		*ret_bad = pool.bad;
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}
