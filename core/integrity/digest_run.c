/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ckpt_digest_run() of digest.h. Workers take units (a few leaves of one chunk, or a whole file)
 * from a pool, read them through descriptors of their own, and enter the digests; whoever enters
 * the last leaf of a chunk makes the chunk's digest. No more chunks are under way than there are
 * workers, so that memory depends on their number alone.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/workers.h"
#include "core/integrity/digest.h"
#include "wire/text.h"

#define BUFFER ((size_t)256 * 1024) /* fits a core's L2 cache */
#define UNIT_LEAVES 4

/* A chunk whose leaves are being read; free while n is 0. */
struct slot {
	size_t file;
	uint64_t index; /* of the chunk in its file */
	uint64_t n, done;
	struct ckpt_digest *leaves;
};

/* What a worker does before it asks for more. */
struct unit {
	size_t file;
	uint64_t off, len;
	struct slot *slot; /* NULL: a whole file's plain digest */
	uint64_t leaf;	   /* its first one's index in the chunk */
};

struct pool {
	const struct ckpt_digest_job *job;
	pthread_mutex_t lock;
	size_t file; /* next to be handed out, from off on */
	uint64_t off;
	struct slot *slot; /* of the chunk that off lies in */
	struct slot *slots;
	uint64_t done, total; /* bytes, for the progress */
	atomic_bool stop;
	int result; /* first errno, or the answer, which outweighs it */
	struct ckpt_digest_bad bad;
	struct ckpt_error err;
};

struct worker {
	struct pool *pool;
	void *buf;
	EVP_MD_CTX *md;
	struct ckpt_file file; /* kept open from unit to unit */
	size_t index;	       /* of that file */
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

/* There is one more slot than workers, and each worker holds at most one unit. */
static struct slot *free_slot(struct pool *pool)
{
	struct slot *slot = pool->slots;

	while (slot->n != 0)
		slot++;
	return slot;
}

static void begin_chunk(struct pool *pool, uint64_t size)
{
	uint64_t chunk = pool->job->chunk, left = size - pool->off;

	pool->slot = free_slot(pool);
	pool->slot->file = pool->file;
	pool->slot->index = pool->off / chunk;
	pool->slot->n = ckpt_digest_chunks(left < chunk ? left : chunk, CKPT_DIGEST_LEAF);
	pool->slot->done = 0;
}

static void take_leaves(struct pool *pool, uint64_t size, struct unit *ret)
{
	uint64_t chunk = pool->job->chunk, at = pool->off % chunk, left = size - pool->off;
	uint64_t len = UNIT_LEAVES * CKPT_DIGEST_LEAF;

	if (at == 0)
		begin_chunk(pool, size);
	if (len > chunk - at)
		len = chunk - at;
	if (len > left)
		len = left;
	*ret = (struct unit) { .file = pool->file,
			       .off = pool->off,
			       .len = len,
			       .slot = pool->slot,
			       .leaf = at / CKPT_DIGEST_LEAF };
	pool->off += len;
	if (pool->off < size)
		return;
	pool->file++;
	pool->off = 0;
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

static bool take_unit(struct pool *pool, struct unit *ret)
{
	const struct ckpt_digest_job *job = pool->job;

	skip_unwanted(pool);
	if (pool->stop || pool->file >= job->n)
		return false;
	if (job->chunk)
		take_leaves(pool, job->files[pool->file].id.size, ret);
	else
		*ret = (struct unit) { .file = pool->file,
				       .len = job->files[pool->file++].id.size };
	return true;
}

/* Ends the work on the file that is open, which must still be the one that was opened. */
static void close_file(struct worker *self)
{
	struct ckpt_error err = { 0 };
	int r = self->file.fd < 0 ? 1 : ckpt_file_unchanged(&self->file);

	if (r == 0)
		changed(self->pool, self->index);
	else if (r < 0)
		pool_fail(self->pool,
			  ckpt_fail(&err, r, "cannot look up %s: %s", CKPT_QUOTE(self->file.name),
				    strerror(-r)),
			  &err);
	ckpt_file_done(&self->file);
}

/* 0, CKPT_DIGEST_CHANGED or an errno. */
static int open_file(struct worker *self, size_t index, struct ckpt_error *err)
{
	const struct ckpt_digest_job *job = self->pool->job;
	const struct ckpt_digest_file *want = &job->files[index];
	int r;

	if (self->file.fd >= 0 && self->index == index)
		return 0;
	close_file(self);
	self->index = index;
	r = ckpt_file_open(job->ctx, job->dirfd, want->name, &self->file, err);
	if (r == -ENOENT || r == CKPT_FILE_NOT_REGULAR)
		return CKPT_DIGEST_CHANGED;
	if (r == 0 && !ckpt_identity_same(&self->file.id, &want->id))
		return CKPT_DIGEST_CHANGED;
	return r;
}

/* Plain digest of [@off, @off + @len). 0, CKPT_DIGEST_CHANGED, -ECANCELED or an errno. */
static int hash_range(struct worker *self, uint64_t off, uint64_t len, struct ckpt_digest *ret,
		      struct ckpt_error *err)
{
	int r = 0;

	if (EVP_DigestInit_ex(self->md, EVP_sha256(), NULL) != 1)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	while (r == 0 && len > 0) {
		size_t n = len < BUFFER ? (size_t)len : BUFFER;

		r = self->pool->stop ? -ECANCELED
				     : ckpt_file_read(&self->file, off, self->buf, n, err);
		if (r == 0 && EVP_DigestUpdate(self->md, self->buf, n) != 1)
			r = ckpt_fail(err, -ENOMEM, "no memory for digests");
		off += n;
		len -= n;
	}
	if (r == 0 && EVP_DigestFinal_ex(self->md, ret->b, NULL) != 1)
		r = ckpt_fail(err, -ENOMEM, "no memory for digests");
	return r == CKPT_FILE_SHORT ? CKPT_DIGEST_CHANGED : r;
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

/* Counts @n leaves of the slot; the last ones make the chunk's digest and set the slot free. */
static int leaves_done(struct pool *pool, struct slot *slot, uint64_t n, struct ckpt_error *err)
{
	uint64_t chunk = pool->job->chunk, size = pool->job->files[slot->file].id.size;
	struct ckpt_digest_bad bad = { .file = slot->file, .off = slot->index * chunk };
	struct ckpt_digest digest;
	bool last;

	pthread_mutex_lock(&pool->lock);
	slot->done += n;
	last = slot->done == slot->n;
	pthread_mutex_unlock(&pool->lock);
	if (!last)
		return 0;
	bad.len = size - bad.off < chunk ? size - bad.off : chunk;
	if (ckpt_digest_of(slot->leaves, slot->n * sizeof(*slot->leaves), &digest) < 0)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	enter(pool, &bad, slot->index, &digest);
	pthread_mutex_lock(&pool->lock);
	slot->n = 0;
	pthread_mutex_unlock(&pool->lock);
	return 0;
}

static int hash_leaves(struct worker *self, const struct unit *unit, struct ckpt_error *err)
{
	uint64_t n = ckpt_digest_chunks(unit->len, CKPT_DIGEST_LEAF);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = i * CKPT_DIGEST_LEAF, left = unit->len - at;
		int r = hash_range(self, unit->off + at,
				   left < CKPT_DIGEST_LEAF ? left : CKPT_DIGEST_LEAF,
				   &unit->slot->leaves[unit->leaf + i], err);

		if (r != 0)
			return r;
	}
	return leaves_done(self->pool, unit->slot, n, err);
}

static int hash_whole(struct worker *self, const struct unit *unit, struct ckpt_error *err)
{
	struct ckpt_digest_bad bad = { .file = unit->file, .len = unit->len };
	struct ckpt_digest digest;
	int r = hash_range(self, 0, unit->len, &digest, err);

	if (r == 0)
		enter(self->pool, &bad, 0, &digest);
	return r;
}

static void do_unit(struct worker *self, const struct unit *unit)
{
	struct ckpt_error err = { 0 };
	int r = open_file(self, unit->file, &err);

	if (r == 0)
		r = unit->slot ? hash_leaves(self, unit, &err) : hash_whole(self, unit, &err);
	if (r == CKPT_DIGEST_CHANGED)
		changed(self->pool, unit->file);
	else if (r < 0 && r != -ECANCELED)
		pool_fail(self->pool, r, &err);
}

static void show_progress(struct pool *pool, const struct unit *unit)
{
	const struct ckpt_ctx *ctx = pool->job->ctx;

	if (ctx->progress)
		ctx->progress(ctx->progress_arg, pool->job->files[unit->file].name, pool->done,
			      pool->total);
	pool->done += unit->len;
}

static void *worker_main(void *arg)
{
	struct worker *self = arg;
	struct pool *pool = self->pool;
	struct unit unit;
	bool more = true;

	while (more) {
		pthread_mutex_lock(&pool->lock);
		more = take_unit(pool, &unit);
		if (more)
			show_progress(pool, &unit);
		pthread_mutex_unlock(&pool->lock);
		if (more)
			do_unit(self, &unit);
	}
	close_file(self);
	return NULL;
}

/* As many workers as there are units, at most as many as the context allows. */
static int worth_threads(struct pool *pool)
{
	const struct ckpt_digest_job *job = pool->job;
	uint64_t units = 0;
	int n = ckpt_ctx_threads(job->ctx);

	for (size_t i = 0; i < job->n; i++) {
		uint64_t size = job->files[i].id.size;

		pool->total += size;
		units += job->chunk ? ckpt_digest_chunks(size, UNIT_LEAVES * CKPT_DIGEST_LEAF) : 1;
	}
	if (units == 0)
		units = 1;
	if (n > CKPT_WORKERS_MAX)
		n = CKPT_WORKERS_MAX;
	return units < (uint64_t)n ? (int)units : n;
}

/* What all workers need, in few pieces. */
struct room {
	struct worker *workers;
	char *buffers;
	struct slot *slots;
	struct ckpt_digest *leaves;
	int n;
};

static void room_done(struct room *room)
{
	for (int i = 0; room->workers && i < room->n; i++)
		EVP_MD_CTX_free(room->workers[i].md);
	free(room->workers);
	free(room->buffers);
	free(room->slots);
	free(room->leaves);
}
#define _cleanup_room_ _cleanup_(room_done)

/* Leaves of the largest chunk there will be. */
static size_t leaves_of(const struct ckpt_digest_job *job)
{
	uint64_t largest = CKPT_DIGEST_LEAF;

	for (size_t i = 0; i < job->n; i++)
		if (job->files[i].id.size > largest)
			largest = job->files[i].id.size;
	if (job->chunk < largest)
		largest = job->chunk;
	return (size_t)ckpt_digest_chunks(largest, CKPT_DIGEST_LEAF);
}

static int make_room(struct pool *pool, struct room *room)
{
	size_t n = (size_t)room->n, leaves = leaves_of(pool->job);

	room->workers = calloc(n, sizeof(*room->workers));
	room->buffers = malloc(n * BUFFER);
	room->slots = calloc(n + 1, sizeof(*room->slots));
	room->leaves = malloc((n + 1) * (leaves + 1) * sizeof(*room->leaves));
	if (!room->workers || !room->buffers || !room->slots || !room->leaves)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct worker *worker = &room->workers[i];

		*worker = (struct worker) { .pool = pool,
					    .buf = room->buffers + i * BUFFER,
					    .md = EVP_MD_CTX_new(),
					    .file = CKPT_FILE_INIT };
		if (!worker->md)
			return -ENOMEM;
	}
	for (size_t i = 0; i <= n; i++)
		room->slots[i].leaves = room->leaves + i * leaves;
	pool->slots = room->slots;
	return 0;
}

int ckpt_digest_run(const struct ckpt_digest_job *job, struct ckpt_digest_bad *ret_bad,
		    struct ckpt_error *err)
{
	struct pool pool = { .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };
	_cleanup_room_ struct room room = { .n = worth_threads(&pool) };

	if (make_room(&pool, &room) < 0)
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	ckpt_workers_run(worker_main, room.workers, sizeof(*room.workers), room.n);
	pthread_mutex_destroy(&pool.lock);
	if (pool.result > 0)
		*ret_bad = pool.bad;
	if (pool.result < 0 && err)
		*err = pool.err;
	return pool.result;
}
