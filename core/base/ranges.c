/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See ranges.h. Workers take batches of work under one lock; whoever finishes a large range's last
 * piece ends it. Memory depends on the number of threads and not on the file.
 */
#include "core/base/ranges.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bulk.h"
#include "wire/text.h"

#define PIECE ((uint64_t)CKPT_BULK_BLOCK)
#define BATCH_MAX 64
#define GAP ((uint64_t)64 * 1024) /* between ranges that are read as one: headers, padding */

#define BEGINS_ALIKE(kind)                                                                         \
	(offsetof(struct kind, off) == offsetof(union ckpt_range, off) &&                          \
	 offsetof(struct kind, len) == offsetof(union ckpt_range, len))
_Static_assert(BEGINS_ALIKE(ckpt_crc_range) && BEGINS_ALIKE(ckpt_finite_range), "of one shape");

/* A range in pieces. */
struct cut {
	union ckpt_range range;
	union ckpt_range_found found;
	uint64_t given, done; /* bytes */
	uint32_t refs;	      /* pieces at work, and one while more are to be handed out */
};

struct work {
	union ckpt_range part; /* what is read: a whole small range, or a piece */
	struct cut *cut;       /* NULL for a whole range */
	union ckpt_range_found found;
};

struct batch {
	int n;
	struct work work[BATCH_MAX];
};

struct pool {
	const struct ckpt_file *file;
	const struct ckpt_ranges_job *job;
	pthread_mutex_t lock;
	struct cut *cut; /* the large range that is being handed out */
	uint64_t done;	 /* bytes, for the progress */
	bool at_end;
	atomic_bool stop;
	int result;	      /* first errno, or the verdict, which outweighs it */
	union ckpt_range bad; /* of the verdict */
	struct ckpt_error err;
};

struct worker {
	struct pool *pool;
	struct ckpt_bulk_reader *reader;
};

static void pool_reject(struct pool *pool, int result, const union ckpt_range *range)
{
	pool->stop = true;
	if (pool->result > 0 && pool->bad.off <= range->off)
		return;
	pool->result = result;
	pool->bad = *range;
}

static void pool_fail(struct pool *pool, int code, const struct ckpt_error *err)
{
	pool->stop = true;
	if (pool->result != 0)
		return;
	pool->result = code;
	pool->err = *err;
}

static void pool_no_memory(struct pool *pool)
{
	struct ckpt_error err;

	ckpt_fail(&err, -ENOMEM, "no memory %s", pool->job->purpose);
	pool_fail(pool, -ENOMEM, &err);
}

static void end_range(struct pool *pool, const union ckpt_range *range,
		      const union ckpt_range_found *found, uint64_t done)
{
	if (!pool->job->end(pool->job->arg, range, found, done))
		pool_reject(pool, CKPT_RANGES_REJECTED, range);
}

/* Lets go of one piece of @cut; the last one ends it. */
static void cut_put(struct pool *pool, struct cut *cut)
{
	if (!cut || --cut->refs > 0)
		return;
	end_range(pool, &cut->range, &cut->found, cut->done);
	free(cut);
}

/* How long the piece is that begins at @part->off: up to the end of a block of the file, or as much
 * before it as keeps units whole. */
static uint64_t piece_len(const struct pool *pool, const union ckpt_range *part)
{
	uint64_t len = PIECE - (pool->file->base + part->off) % PIECE;

	len -= len % pool->job->unit;
	len = len > 0 ? len : PIECE;
	return len < part->len ? len : part->len;
}

/* Adds the next piece of the pool's cut. */
static void take_piece(struct pool *pool, struct batch *batch)
{
	struct cut *cut = pool->cut;
	struct work *work = &batch->work[batch->n++];

	*work = (struct work) { .part = cut->range, .cut = cut };
	work->part.off += cut->given;
	work->part.len -= cut->given;
	work->part.len = piece_len(pool, &work->part);
	cut->given += work->part.len;
	if (cut->given == cut->range.len)
		pool->cut = NULL; /* its reference becomes this piece's */
	else
		cut->refs++;
}

static bool in_file(const struct ckpt_file *file, const union ckpt_range *range)
{
	return range->off <= file->size && range->len <= file->size - range->off;
}

/* Asks the job for a range. Returns false when there is none to read. */
static bool next_range(struct pool *pool, union ckpt_range *ret)
{
	struct ckpt_error err;
	int r = pool->job->next(pool->job->arg, ret);

	if (r < 0) {
		ckpt_fail(&err, r, "cannot list what %s holds: %s", CKPT_QUOTE(pool->file->name),
			  strerror(-r));
		pool_fail(pool, r, &err);
	} else if (r == 0) {
		pool->at_end = true;
	} else if (!in_file(pool->file, ret)) {
		pool_reject(pool, CKPT_RANGES_SHORT, ret);
	} else {
		return true;
	}
	return false;
}

/* Whether the end of @range is that of its block of the file, or beyond it. */
static bool leaves_block(const struct ckpt_file *file, const union ckpt_range *range)
{
	uint64_t begin = file->base + range->off;

	return begin / PIECE != (begin + range->len) / PIECE;
}

/* Adds one whole range, or begins to cut it. False when none is left. */
static bool take_range(struct pool *pool, struct batch *batch)
{
	struct work *work = &batch->work[batch->n];

	*work = (struct work) { 0 };
	if (!next_range(pool, &work->part))
		return false;
	if (work->part.len <= CKPT_BULK_MOST || !leaves_block(pool->file, &work->part)) {
		batch->n++;
		return true;
	}
	pool->cut = malloc(sizeof(*pool->cut));
	if (!pool->cut) {
		pool_no_memory(pool);
		return false;
	}
	*pool->cut = (struct cut) { .range = work->part, .refs = 1 };
	return true;
}

/* As much as fills a block, and up to the end of one, so that those who read past the page cache
 * ask for whole ones, in their order: the disk is fastest so. */
static void take_batch(struct pool *pool, struct batch *batch)
{
	uint64_t bytes = 0;
	bool more = true;

	batch->n = 0;
	while (more && !pool->stop && !pool->at_end && batch->n < BATCH_MAX && bytes < PIECE) {
		const union ckpt_range *last = &batch->work[batch->n].part;
		int before = batch->n;

		if (pool->cut)
			take_piece(pool, batch);
		else
			more = take_range(pool, batch);
		if (batch->n == before)
			continue;
		bytes += last->len;
		more = more && !leaves_block(pool->file, last);
	}
}

/* Reads @work and has the job look at it. 0, -ECANCELED when the pool has stopped, or as
 * ckpt_file_read(). */
static int run_work(struct worker *self, struct work *work, struct ckpt_error *err)
{
	const struct pool *pool = self->pool;
	struct ckpt_range_bytes bytes = { .off = work->part.off };
	uint64_t left = work->part.len;

	while (left > 0) {
		int r = -ECANCELED;

		bytes.len = left < CKPT_BULK_MOST ? (size_t)left : CKPT_BULK_MOST;
		if (!pool->stop)
			r = ckpt_bulk_read(self->reader, bytes.off, bytes.len, &bytes.data, err);
		if (r != 0)
			return r;
		pool->job->look(pool->job->arg, &work->part, &bytes, &work->found);
		bytes.off += bytes.len;
		left -= bytes.len;
	}
	return 0;
}

/* Adds a piece to its range. */
static void join(const struct pool *pool, const struct work *work)
{
	struct cut *cut = work->cut;
	uint64_t begin = work->part.off - cut->range.off;

	pool->job->join(pool->job->arg, &cut->found, &work->found,
			cut->range.len - begin - work->part.len);
	cut->done += work->part.len;
}

/* Enters the result of @work under the lock. */
static void work_done(struct pool *pool, const struct work *work, int r,
		      const struct ckpt_error *err)
{
	if (r == CKPT_FILE_SHORT)
		pool_reject(pool, CKPT_RANGES_SHORT, work->cut ? &work->cut->range : &work->part);
	else if (r < 0 && r != -ECANCELED)
		pool_fail(pool, r, err);
	if (r != 0)
		return;
	pool->done += work->part.len;
	if (work->cut)
		join(pool, work);
	else
		end_range(pool, &work->part, &work->found, work->part.len);
}

/* Tells the reader how far the ranges from the @i-th on follow one another. Returns the first that
 * does not. */
static int expect(struct worker *self, const struct batch *batch, int i)
{
	uint64_t off = batch->work[i].part.off, end = off;

	for (; i < batch->n; i++) {
		const union ckpt_range *part = &batch->work[i].part;

		if (part->off < end || part->off - end > GAP)
			break;
		end = part->off + part->len;
	}
	ckpt_bulk_expect(self->reader, off, end - off);
	return i;
}

/* Results of a batch are kept and entered together, so that small ranges cost one lock a batch. */
static void run_batch(struct worker *self, struct batch *batch)
{
	struct pool *pool = self->pool;
	struct ckpt_error err = { 0 };
	int n = 0, r = 0, expected = 0;

	while (n < batch->n && r == 0) {
		if (n == expected)
			expected = expect(self, batch, n);
		r = run_work(self, &batch->work[n++], &err);
	}
	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < n; i++)
		work_done(pool, &batch->work[i], i == n - 1 ? r : 0, &err);
	for (int i = 0; i < batch->n; i++)
		cut_put(pool, batch->work[i].cut);
	pthread_mutex_unlock(&pool->lock);
}

static void show_progress(const struct pool *pool)
{
	const struct ckpt_ctx *ctx = pool->file->ctx;

	if (ctx && ctx->progress && pool->job->total > 0)
		ctx->progress(ctx->progress_arg, pool->file->name, pool->done, pool->job->total);
}

/* ckpt_bulk_fn. The last batch is empty, so that the last progress shown is all. */
static void work(struct ckpt_bulk_reader *reader, void *arg)
{
	struct pool *pool = arg;
	struct worker self = { .pool = pool, .reader = reader };
	struct batch batch;

	do {
		pthread_mutex_lock(&pool->lock);
		take_batch(pool, &batch);
		show_progress(pool);
		pthread_mutex_unlock(&pool->lock);
		run_batch(&self, &batch);
	} while (batch.n > 0);
}

static int worth_threads(const struct ckpt_file *file, const struct ckpt_ranges_job *job)
{
	uint64_t bytes = job->total > 0 ? job->total : file->size, useful = bytes / PIECE + 1;
	int n;

	if (file->source) /* one thread at a time may read it */
		return 1;
	n = ckpt_bulk_threads(file, ckpt_ctx_threads(file->ctx));
	return useful < (uint64_t)n ? (int)useful : n;
}

int ckpt_ranges_run(const struct ckpt_file *file, const struct ckpt_ranges_job *job,
		    union ckpt_range *ret_bad, struct ckpt_error *err)
{
	struct pool pool = { .file = file, .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };

	if (ckpt_bulk_run(file, worth_threads(file, job), work, &pool) < 0)
		pool_no_memory(&pool);
	cut_put(&pool, pool.cut);
	pthread_mutex_destroy(&pool.lock);
	if (pool.result > 0)
		*ret_bad = pool.bad;
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}
