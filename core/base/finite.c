/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See finite.h. Workers take batches under one lock: many small ranges at once, or a piece of a
 * large one. A range is entered once all of its pieces are done, so that each counts once.
 */
#include "core/base/finite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bulk.h"
#include "wire/text.h"

#define PIECE ((uint64_t)4 * 1024 * 1024)
#define BATCH_MAX 64

/* A range while pieces of it are at work. */
struct whole {
	struct ckpt_finite_range range;
	struct ckpt_floats found;
	uint64_t given; /* bytes handed out */
	uint64_t done;
	uint32_t refs; /* pieces at work, and one while more are to be handed out */
};

struct work {
	struct ckpt_finite_range range; /* what is read: a whole small range, or a piece */
	struct whole *whole;		/* NULL for a whole range */
	struct ckpt_floats found;
};

struct batch {
	int n;
	struct work work[BATCH_MAX];
};

struct pool {
	const struct ckpt_file *file;
	const struct ckpt_finite_job *job;
	pthread_mutex_t lock;
	struct whole *whole; /* the large range that is being handed out */
	uint64_t done;
	bool at_end;
	atomic_bool stop;
	int result; /* the first errno or CKPT_FILE_SHORT */
	struct ckpt_error err;
	struct ckpt_finite *all;
};

struct worker {
	struct pool *pool;
	struct ckpt_bulk_reader *reader;
};

static const struct ckpt_error no_memory = { -ENOMEM, "no memory to look for NaN and Inf" };

/* Where a hit at @off belongs among those that are kept. */
static int hit_place(const struct ckpt_finite *all, uint64_t off)
{
	int at = all->n_hits;

	while (at > 0 && all->hits[at - 1].floats.first > off)
		at--;
	return at;
}

void ckpt_finite_enter(struct ckpt_finite *all, uint64_t tag, uint64_t bytes,
		       const struct ckpt_floats *found)
{
	int at;

	all->ranges++;
	all->bytes += bytes;
	if (found->nan + found->inf == 0)
		return;
	all->poisoned++;
	all->nan += found->nan;
	all->inf += found->inf;
	at = hit_place(all, found->first);
	if (at == CKPT_FINITE_HITS)
		return;
	if (all->n_hits < CKPT_FINITE_HITS)
		all->n_hits++;
	memmove(&all->hits[at + 1], &all->hits[at],
		(size_t)(all->n_hits - 1 - at) * sizeof(all->hits[0]));
	all->hits[at] = (struct ckpt_finite_hit) { .tag = tag, .floats = *found };
}

static void pool_fail(struct pool *pool, int code, const struct ckpt_error *err)
{
	pool->stop = true;
	if (pool->result != 0)
		return;
	pool->result = code;
	pool->err = *err;
}

/* Lets go of one piece of @whole; the last one enters it. What was found counts, however far the
 * rest of it came. */
static void whole_put(struct pool *pool, struct whole *whole)
{
	if (--whole->refs > 0)
		return;
	if (whole->done == whole->range.len || whole->found.nan + whole->found.inf > 0)
		ckpt_finite_enter(pool->all, whole->range.tag, whole->done, &whole->found);
	free(whole);
}

static uint64_t take_piece(struct pool *pool, struct batch *batch)
{
	struct whole *whole = pool->whole;
	struct work *work = &batch->work[batch->n++];
	uint64_t left = whole->range.len - whole->given;

	*work = (struct work) { .range = whole->range, .whole = whole };
	work->range.off += whole->given;
	work->range.len = left < PIECE ? left : PIECE;
	whole->given += work->range.len;
	if (whole->given == whole->range.len)
		pool->whole = NULL; /* its reference becomes this piece's */
	else
		whole->refs++;
	return work->range.len;
}

static bool in_file(const struct ckpt_file *file, const struct ckpt_finite_range *range)
{
	return range->off <= file->size && range->len <= file->size - range->off;
}

/* Asks the job for a range. Returns false when there is none to read. */
static bool next_range(struct pool *pool, struct ckpt_finite_range *ret)
{
	struct ckpt_error err = { 0 };
	int r = pool->job->next(pool->job->arg, ret);

	if (r < 0) {
		ckpt_fail(&err, r, "cannot list what %s holds: %s", CKPT_QUOTE(pool->file->name),
			  strerror(-r));
		pool_fail(pool, r, &err);
	} else if (r == 0) {
		pool->at_end = true;
	} else if (!in_file(pool->file, ret)) {
		pool_fail(pool, CKPT_FILE_SHORT, &err);
	} else {
		return true;
	}
	return false;
}

/* Adds one whole range, or begins a large one. Returns bytes added; false in *@more when none is
 * left. */
static uint64_t take_range(struct pool *pool, struct batch *batch, bool *more)
{
	struct ckpt_finite_range range = { 0 };

	*more = next_range(pool, &range);
	if (!*more)
		return 0;
	if (range.len <= PIECE) {
		batch->work[batch->n++] = (struct work) { .range = range };
		return range.len;
	}
	pool->whole = calloc(1, sizeof(*pool->whole));
	if (!pool->whole) {
		pool_fail(pool, -ENOMEM, &no_memory);
		*more = false;
		return 0;
	}
	*pool->whole = (struct whole) { .range = range, .refs = 1 };
	return 0;
}

static void take_batch(struct pool *pool, struct batch *batch)
{
	uint64_t bytes = 0;
	bool more = true;

	batch->n = 0;
	while (more && !pool->stop && batch->n < BATCH_MAX && bytes < PIECE) {
		if (pool->whole)
			bytes += take_piece(pool, batch);
		else if (pool->at_end)
			more = false;
		else
			bytes += take_range(pool, batch, &more);
	}
}

/* Reads @work and counts. 0, -ECANCELED when the pool has stopped, or as ckpt_file_read(). */
static int run_work(struct worker *self, struct work *work, struct ckpt_error *err)
{
	const struct pool *pool = self->pool;
	uint64_t off = work->range.off, left = work->range.len;
	const void *data = NULL;

	if (left > CKPT_BULK_MOST)
		ckpt_bulk_expect(self->reader, off, left);
	while (left > 0) {
		/* whole numbers of every size */
		size_t n = left < CKPT_BULK_MOST ? (size_t)left : CKPT_BULK_MOST;
		int r = pool->stop ? -ECANCELED : ckpt_bulk_read(self->reader, off, n, &data, err);

		if (r != 0)
			return r;
		ckpt_floats_count(work->range.kind, data, n, off, &work->found);
		off += n;
		left -= n;
	}
	return 0;
}

/* Enters the result of @work under the lock. */
static void work_done(struct pool *pool, const struct work *work, int r,
		      const struct ckpt_error *err)
{
	if (r != 0 && r != -ECANCELED)
		pool_fail(pool, r, err);
	if (r != 0)
		return;
	pool->done += work->range.len;
	if (work->whole) {
		work->whole->done += work->range.len;
		ckpt_floats_add(&work->whole->found, &work->found);
	} else {
		ckpt_finite_enter(pool->all, work->range.tag, work->range.len, &work->found);
	}
}

static void run_batch(struct worker *self, struct batch *batch)
{
	struct pool *pool = self->pool;
	struct ckpt_error err = { 0 };
	int n = 0, r = 0;

	while (n < batch->n && r == 0)
		r = run_work(self, &batch->work[n++], &err);
	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < n; i++)
		work_done(pool, &batch->work[i], i == n - 1 ? r : 0, &err);
	for (int i = 0; i < batch->n; i++)
		if (batch->work[i].whole)
			whole_put(pool, batch->work[i].whole);
	pthread_mutex_unlock(&pool->lock);
}

static void show_progress(const struct pool *pool)
{
	const struct ckpt_ctx *ctx = pool->file->ctx;

	if (ctx && ctx->progress && pool->job->total)
		ctx->progress(ctx->progress_arg, pool->file->name, pool->done, pool->job->total);
}

/* ckpt_bulk_fn */
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

static int worth_threads(const struct ckpt_file *file, const struct ckpt_finite_job *job)
{
	uint64_t bytes = job->total ? job->total : file->size, useful = bytes / PIECE + 1;
	int n;

	if (file->source) /* one thread at a time may read it */
		return 1;
	n = ckpt_bulk_threads(file, ckpt_ctx_threads(file->ctx));
	return useful < (uint64_t)n ? (int)useful : n;
}

int ckpt_finite_scan(const struct ckpt_file *file, const struct ckpt_finite_job *job,
		     struct ckpt_finite *ret, struct ckpt_error *err)
{
	struct pool pool = {
		.file = file, .job = job, .lock = PTHREAD_MUTEX_INITIALIZER, .all = ret
	};
	int n = worth_threads(file, job);

	*ret = (struct ckpt_finite) { 0 };
	if (ckpt_bulk_run(file, n, work, &pool) < 0)
		pool_fail(&pool, -ENOMEM, &no_memory);
	if (pool.whole)
		whole_put(&pool, pool.whole);
	pthread_mutex_destroy(&pool.lock);
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}
