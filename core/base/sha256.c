/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sha256.h. A file is one chain of blocks that cannot be split, so threads share the list.
 */
#include "core/base/sha256.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define CHUNK ((size_t)256 * 1024) /* of a file at a time: fits the cache of a core */

struct run {
	struct ckpt_ctx *ctx;
	int dirfd;
	struct ckpt_sha256_item *items;
	size_t n;
	_Atomic size_t next;
	_Atomic bool stop;
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

static void free_digest(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

/* The digest of the open file into @ret. 0 or an errno; CHANGED if it shrank. */
static int digest_file(const struct ckpt_file *file, uint8_t *buf, uint8_t *ret)
{
	_cleanup_(free_digest) EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint64_t off = 0;

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		return -ENOMEM;
	while (off < file->size) {
		size_t len = file->size - off < CHUNK ? (size_t)(file->size - off) : CHUNK;
		int r = ckpt_file_read(file, off, buf, len, NULL);

		if (r)
			return r == CKPT_FILE_SHORT ? CKPT_SHA256_CHANGED : r;
		if (!EVP_DigestUpdate(md, buf, len))
			return -EIO;
		off += len;
	}
	return EVP_DigestFinal_ex(md, ret, NULL) ? 0 : -EIO;
}

static int compare_file(const struct run *run, struct ckpt_sha256_item *item, uint8_t *buf)
{
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint8_t digest[EVP_MAX_MD_SIZE];
	int r = ckpt_file_open(run->ctx, run->dirfd, item->name, &file, NULL), same;

	if (r)
		return r == CKPT_FILE_NOT_REGULAR ? CKPT_SHA256_NOT_REGULAR : r;
	item->size = file.size;
	r = digest_file(&file, buf, digest);
	if (r)
		return r;
	same = ckpt_file_unchanged(&file);
	if (same <= 0)
		return same < 0 ? same : CKPT_SHA256_CHANGED;
	return memcmp(digest, item->expected, CKPT_SHA256_SIZE) ? CKPT_SHA256_MISMATCH : 0;
}

static void *work(void *arg)
{
	struct run *run = arg;
	_cleanup_free_ uint8_t *buf = malloc(CHUNK);
	size_t i;

	while (!run->stop && (i = run->next++) < run->n) {
		struct ckpt_sha256_item *item = &run->items[i];

		item->result = buf ? compare_file(run, item, buf) : -ENOMEM;
		if (item->result)
			run->stop = true;
	}
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
	struct run run = { .ctx = ctx, .dirfd = dirfd, .items = items, .n = n };
	int wanted = ckpt_ctx_threads(ctx), started = 0;
	pthread_t threads[64];

	for (size_t i = 0; i < n; i++)
		items[i].result = CKPT_SHA256_UNREAD;
	while (started < wanted - 1 && started < 63 && (size_t)started + 1 < n &&
	       pthread_create(&threads[started], NULL, work, &run) == 0)
		started++;
	work(&run);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	return sum_up(&run, err);
}
