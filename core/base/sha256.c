/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256.h. A file is one chain of blocks that cannot be split, so threads and their lanes
 * share the list.
 */
#include "core/base/sha256.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/sha256_streams.h"
#include "core/base/workers.h"
#include "wire/text.h"

struct run {
	struct ckpt_ctx *ctx;
	int dirfd;
	struct ckpt_sha256_item *items;
	size_t n;
	struct ckpt_sha256_plan plan;
	_Atomic size_t next;
	_Atomic bool stop, no_memory;
};

struct worker {
	struct run *run;
	struct ckpt_file files[CKPT_SHA256_LANES]; /* by lane */
	struct ckpt_sha256_item *items[CKPT_SHA256_LANES];
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ckpt_sha256_parse(const char *hex, uint8_t ret[CKPT_SHA256_SIZE])
{
	uint8_t bytes[CKPT_SHA256_SIZE];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		int hi = hex_digit(hex[2 * i]), lo = hi < 0 ? -1 : hex_digit(hex[2 * i + 1]);

		if (lo < 0)
			return false;
		bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	if (hex[2 * sizeof(bytes)])
		return false;
	memcpy(ret, bytes, sizeof(bytes));
	return true;
}

static bool next(void *arg, int lane, struct ckpt_sha256_message *ret)
{
	struct worker *self = arg;
	struct run *run = self->run;
	struct ckpt_file *file = &self->files[lane];
	size_t i = run->next++;
	struct ckpt_sha256_item *item = i < run->n ? &run->items[i] : NULL;
	int r;

	if (!item)
		return false;
	self->items[lane] = item;
	r = ckpt_file_open(run->ctx, run->dirfd, item->name, file, NULL);
	if (r != 0) {
		item->result = r == CKPT_FILE_NOT_REGULAR ? CKPT_SHA256_NOT_REGULAR : r;
		run->stop = true;
		return false;
	}
	item->size = file->size;
	*ret = (struct ckpt_sha256_message) { .file = file, .len = file->size };
	return true;
}

/* What an item that was read to its end comes to. */
static int judge(const struct ckpt_file *file, const struct ckpt_sha256_item *item,
		 const uint8_t *digest)
{
	int same = ckpt_file_unchanged(file);

	if (same <= 0)
		return same < 0 ? same : CKPT_SHA256_CHANGED;
	return memcmp(digest, item->expected, CKPT_SHA256_SIZE) ? CKPT_SHA256_MISMATCH : 0;
}

static void done(void *arg, int lane, int result, const uint8_t *digest,
		 const struct ckpt_error *err)
{
	struct worker *self = arg;
	struct ckpt_sha256_item *item = self->items[lane];

	(void)err;
	if (result == 0)
		item->result = judge(&self->files[lane], item, digest);
	else if (result == CKPT_FILE_SHORT)
		item->result = CKPT_SHA256_CHANGED;
	else if (result != -ECANCELED)
		item->result = result;
	if (item->result != 0)
		self->run->stop = true;
	ckpt_file_done(&self->files[lane]);
}

static bool stopped(void *arg)
{
	struct worker *self = arg;

	return self->run->stop;
}

static void *work(void *arg)
{
	struct worker *self = arg;
	const struct ckpt_sha256_source source = {
		.next = next, .done = done, .stop = stopped, .arg = self
	};

	for (int i = 0; i < CKPT_SHA256_LANES; i++)
		self->files[i] = (struct ckpt_file)CKPT_FILE_INIT;
	if (ckpt_sha256_streams(&source, &self->run->plan) < 0)
		self->run->no_memory = true;
	return NULL;
}

/* What the items say together: an answer about a file before "could not find out". */
static int sum_up(const struct run *run, struct ckpt_error *err)
{
	int error = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct ckpt_sha256_item *item = &run->items[i];

		if (item->result == -ENOENT ||
		    (item->result > 0 && item->result != CKPT_SHA256_UNREAD))
			return CKPT_SHA256_MISMATCH;
		if (item->result >= 0 || error)
			continue;
		error = ckpt_fail(err, item->result, "cannot read %s: %s", CKPT_QUOTE(item->name),
				  strerror(-item->result));
	}
	return error;
}

int ckpt_sha256_verify(struct ckpt_ctx *ctx, int dirfd, struct ckpt_sha256_item *items, size_t n,
		       struct ckpt_error *err)
{
	struct run run = { .ctx = ctx,
			   .dirfd = dirfd,
			   .items = items,
			   .n = n,
			   .plan = ckpt_sha256_plan(n, ckpt_ctx_threads(ctx)) };
	int threads = run.plan.threads, r;
	_cleanup_free_ struct worker *workers = calloc((size_t)threads, sizeof(*workers));

	for (size_t i = 0; i < n; i++)
		items[i].result = CKPT_SHA256_UNREAD;
	for (int i = 0; workers && i < threads; i++)
		workers[i].run = &run;
	if (workers)
		ckpt_workers_run(work, workers, sizeof(*workers), threads);
	r = sum_up(&run, err);
	if (r == 0 && (!workers || run.no_memory))
		return ckpt_fail(err, -ENOMEM, "no memory for digests");
	return r;
}
