/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_crc_verify() of crc.h. Workers take batches of work under one lock: many small ranges at
 * once, or a piece of a large one, whose pieces' CRCs are combined by the worker that finishes
 * last. Memory depends on the number of threads and not on the file.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bulk.h"
#include "core/base/crc.h"
#include "core/base/crc_deferred.h"
#include "core/base/crc_share.h"
#include "wire/text.h"

#define PIECE ((uint64_t)CKPT_BULK_BLOCK)
#define PIECES_MAX 65536 /* of one range: larger ranges have larger pieces */
#define BATCH_MAX 64
#define GAP ((uint64_t)64 * 1024) /* between ranges that are read as one: headers, padding */

/* A range in pieces. Freed when neither a batch nor the pool's cut refers to it. */
struct cut {
	struct ckpt_crc_range range;
	uint64_t first, piece; /* bytes of the first, and of each but that and the last */
	uint32_t n, given, done, refs;
	uint32_t crc[];
};

struct work {
	struct ckpt_crc_range range; /* what is read: a whole small range, or a piece */
	struct cut *cut;	     /* NULL for a whole range */
	uint32_t index;		     /* of the piece */
};

struct batch {
	int n;
	struct work work[BATCH_MAX];
};

struct pool {
	const struct ckpt_file *file;
	const struct ckpt_crc_job *job;
	pthread_mutex_t lock;
	struct cut *cut; /* the large range that is being handed out */
	uint64_t done;	 /* bytes, for the progress */
	bool at_end;
	atomic_bool stop;
	int result;		   /* first errno, or the verdict, which outweighs it */
	struct ckpt_crc_range bad; /* of the verdict */
	struct ckpt_error err;
};

struct worker {
	struct pool *pool;
	struct ckpt_bulk_reader *reader;
};

static const struct ckpt_error no_memory = { -ENOMEM, "no memory to verify checksums" };

static void pool_reject(struct pool *pool, int result, const struct ckpt_crc_range *range)
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

static void cut_put(struct cut *cut)
{
	if (cut && --cut->refs == 0)
		free(cut);
}

/* Pieces end at multiples of their size in the file. */
static struct cut *cut_new(const struct ckpt_file *file, const struct ckpt_crc_range *range)
{
	uint64_t piece = PIECE, first, left;
	struct cut *cut;
	size_t n;

	while (range->len / piece >= PIECES_MAX)
		piece *= 2;
	first = piece - (file->base + range->off) % piece;
	first = first < range->len ? first : range->len;
	left = range->len - first;
	n = 1 + (size_t)(left / piece) + (left % piece != 0);
	cut = malloc(sizeof(*cut) + n * sizeof(cut->crc[0]));
	if (!cut)
		return NULL;
	*cut = (struct cut) {
		.range = *range, .first = first, .piece = piece, .n = (uint32_t)n, .refs = 1
	};
	return cut;
}

/* Where in its range the @i-th piece begins; the range's length is where the one after the last
 * would. */
static uint64_t piece_at(const struct cut *cut, uint32_t i)
{
	if (i == 0)
		return 0;
	return i == cut->n ? cut->range.len : cut->first + (i - 1) * cut->piece;
}

/* Adds the next piece of the pool's cut; lets go of the cut after its last one. */
static void take_piece(struct pool *pool, struct batch *batch)
{
	struct cut *cut = pool->cut;
	struct work *work = &batch->work[batch->n++];
	uint64_t at = piece_at(cut, cut->given);

	*work = (struct work) { .range = cut->range, .cut = cut, .index = cut->given++ };
	work->range.off += at;
	work->range.len = piece_at(cut, cut->given) - at;
	cut->refs++;
	if (cut->given == cut->n) {
		pool->cut = NULL;
		cut_put(cut);
	}
}

static bool in_file(const struct ckpt_file *file, const struct ckpt_crc_range *range)
{
	return range->off <= file->size && range->len <= file->size - range->off;
}

/* Asks the job for a range. Returns false when there is none to read. */
static bool next_range(struct pool *pool, struct ckpt_crc_range *ret)
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
		pool_reject(pool, CKPT_CRC_SHORT, ret);
	} else {
		return true;
	}
	return false;
}

/* Whether the end of @range is that of its block of the file, or beyond it. */
static bool leaves_block(const struct ckpt_file *file, const struct ckpt_crc_range *range)
{
	uint64_t begin = file->base + range->off;

	return begin / PIECE != (begin + range->len) / PIECE;
}

/* Adds one whole range, or begins to cut it. False when none is left. */
static bool take_range(struct pool *pool, struct batch *batch)
{
	struct ckpt_crc_range range = { 0 };

	if (!next_range(pool, &range))
		return false;
	if (range.len <= CKPT_BULK_MOST || !leaves_block(pool->file, &range)) {
		batch->work[batch->n++] = (struct work) { .range = range };
		return true;
	}
	pool->cut = cut_new(pool->file, &range);
	if (!pool->cut)
		pool_fail(pool, -ENOMEM, &no_memory);
	return pool->cut != NULL;
}

/* As much as fills a block, and up to the end of one, so that those who read past the page cache
 * ask for whole ones, in their order: the disk is fastest so. */
static void take_batch(struct pool *pool, struct batch *batch)
{
	uint64_t bytes = 0;
	bool more = true;

	batch->n = 0;
	while (more && !pool->stop && !pool->at_end && batch->n < BATCH_MAX && bytes < PIECE) {
		const struct ckpt_crc_range *last = &batch->work[batch->n].range;
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

static void judge(struct pool *pool, const struct ckpt_crc_range *range, uint32_t crc)
{
	if (range->ret_crc)
		*range->ret_crc = crc;
	else if (crc != range->expected)
		pool_reject(pool, CKPT_CRC_MISMATCH, range);
}

static void judge_cut(struct pool *pool, const struct cut *cut)
{
	uint32_t crc = cut->crc[0];

	for (uint32_t i = 1; i < cut->n; i++)
		crc = ckpt_crc_combine(pool->job->kind, crc, cut->crc[i],
				       piece_at(cut, i + 1) - piece_at(cut, i));
	judge(pool, &cut->range, crc);
}

/* Reads @work. 0 with *@ret, -ECANCELED when the pool has stopped, or as ckpt_file_read(). */
static int work_crc(struct worker *self, const struct work *work, uint32_t *ret,
		    struct ckpt_error *err)
{
	const struct pool *pool = self->pool;
	uint64_t off = work->range.off, left = work->range.len;
	const void *data = NULL;
	uint32_t crc = 0;

	while (left > 0) {
		size_t n = left < CKPT_BULK_MOST ? (size_t)left : CKPT_BULK_MOST;
		int r = pool->stop ? -ECANCELED : ckpt_bulk_read(self->reader, off, n, &data, err);

		if (r != 0)
			return r;
		crc = ckpt_crc(pool->job->kind, crc, data, n);
		off += n;
		left -= n;
	}
	*ret = crc;
	return 0;
}

static const struct ckpt_crc_range *work_whole(const struct work *work)
{
	return work->cut ? &work->cut->range : &work->range;
}

/* Enters the result of @work under the lock. */
static void work_done(struct pool *pool, const struct work *work, int r, uint32_t crc,
		      const struct ckpt_error *err)
{
	if (r == CKPT_FILE_SHORT)
		pool_reject(pool, CKPT_CRC_SHORT, work_whole(work));
	else if (r < 0 && r != -ECANCELED)
		pool_fail(pool, r, err);
	if (r != 0)
		return;
	pool->done += work->range.len;
	if (!work->cut) {
		judge(pool, &work->range, crc);
		return;
	}
	work->cut->crc[work->index] = crc;
	if (++work->cut->done == work->cut->n)
		judge_cut(pool, work->cut);
}

/* Tells the reader how far the ranges from the @i-th on follow one another. Returns the first that
 * does not. */
static int expect(struct worker *self, const struct batch *batch, int i)
{
	uint64_t off = batch->work[i].range.off, end = off;

	for (; i < batch->n; i++) {
		const struct ckpt_crc_range *range = &batch->work[i].range;

		if (range->off < end || range->off - end > GAP)
			break;
		end = range->off + range->len;
	}
	ckpt_bulk_expect(self->reader, off, end - off);
	return i;
}

/* Results of a batch are kept and entered together, so that small ranges cost one lock a batch. */
static void run_batch(struct worker *self, const struct batch *batch)
{
	struct pool *pool = self->pool;
	struct ckpt_error err = { 0 };
	uint32_t crc[BATCH_MAX] = { 0 };
	int n = 0, r = 0, expected = 0;

	while (n < batch->n && r == 0) {
		if (n == expected)
			expected = expect(self, batch, n);
		r = work_crc(self, &batch->work[n], &crc[n], &err);
		n++;
	}
	pthread_mutex_lock(&pool->lock);
	for (int i = 0; i < n; i++)
		work_done(pool, &batch->work[i], i == n - 1 ? r : 0, crc[i], &err);
	for (int i = 0; i < batch->n; i++)
		cut_put(batch->work[i].cut);
	pthread_mutex_unlock(&pool->lock);
}

static void show_progress(const struct pool *pool)
{
	const struct ckpt_ctx *ctx = pool->file->ctx;

	if (ctx && ctx->progress)
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

static int worth_threads(const struct ckpt_file *file)
{
	uint64_t useful = file->size / PIECE + 1;
	int n = ckpt_bulk_threads(file, ckpt_ctx_threads(file->ctx));

	return useful < (uint64_t)n ? (int)useful : n;
}

static int verify_all(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		      struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct pool pool = { .file = file, .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };
	int n = worth_threads(file);

	if (ckpt_bulk_run(file, n, work, &pool) < 0)
		pool_fail(&pool, -ENOMEM, &no_memory);
	show_progress(&pool);
	cut_put(pool.cut);
	pthread_mutex_destroy(&pool.lock);
	if (pool.result > 0)
		*ret_bad = pool.bad;
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}

/* Leaves the job to whoever reads the file later, or else verifies it now. */
static int defer(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		 struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct ckpt_crc_job again = *job;
	struct ckpt_crc_replay replay;
	int r = 0;

	again.next = ckpt_crc_replay_next;
	again.arg = &replay;
	if (!ckpt_crc_defer(file->ctx->deferred, file, job, &replay))
		r = verify_all(file, &again, ret_bad, err);
	free(replay.kept);
	return r;
}

int ckpt_crc_verify(const struct ckpt_file *file, const struct ckpt_crc_job *job,
		    struct ckpt_crc_range *ret_bad, struct ckpt_error *err)
{
	struct ckpt_crc_job part = *job;
	struct ckpt_crc_share share;
	int r;

	if (file->ctx && file->ctx->deferred && !file->ctx->share)
		return defer(file, job, ret_bad, err);
	if (!file->ctx || !file->ctx->share)
		return verify_all(file, job, ret_bad, err);
	if (!ckpt_crc_share_begin(file, job, &share))
		return 0;
	part.next = ckpt_crc_share_next;
	part.arg = &share;
	r = verify_all(file, &part, ret_bad, err);
	if (r == 0)
		ckpt_crc_share_read(&share);
	return r;
}
