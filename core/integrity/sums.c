/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See sums.h. One table row a kind.
 */
#include "core/integrity/sums.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/libcrypto.h"
#include "core/base/pages.h"
#include "core/base/share.h"
#include "core/base/workers.h"
#include "wire/text.h"

#define BUFFER ((size_t)1 << 20)

static const struct {
	const char *name;
	const char *tag;    /* before a name in parentheses */
	const char *crypto; /* libcrypto's name */
	uint8_t size;
} kinds[CKPT_SUM_COUNT] = {
	[CKPT_SUM_NONE] = { "", "", "", 0 },
	[CKPT_SUM_MD5] = { "MD5", "MD5", "MD5", 16 },
	[CKPT_SUM_SHA1] = { "SHA-1", "SHA1", "SHA1", 20 },
	[CKPT_SUM_GIT] = { "Git's SHA-1", "", "SHA1", 20 },
	[CKPT_SUM_SHA224] = { "SHA-224", "SHA224", "SHA224", 28 },
	[CKPT_SUM_BLAKE2B] = { "BLAKE2b", "BLAKE2b", "BLAKE2b512", 64 },
	[CKPT_SUM_SHA384] = { "SHA-384", "SHA384", "SHA384", 48 },
	[CKPT_SUM_SHA512] = { "SHA-512", "SHA512", "SHA512", 64 },
	[CKPT_SUM_SHA256] = { "SHA-256", "SHA256", "SHA256", 32 },
};

const char *ckpt_sum_name(enum ckpt_sum_kind kind)
{
	return kinds[kind].name;
}

size_t ckpt_sum_size(enum ckpt_sum_kind kind)
{
	return kinds[kind].size;
}

bool ckpt_sum_weak(enum ckpt_sum_kind kind)
{
	return kind == CKPT_SUM_MD5 || kind == CKPT_SUM_SHA1 || kind == CKPT_SUM_GIT;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All of @kind's digits, which @len bytes at @hex must begin with. */
static bool read_digits(const char *hex, size_t len, enum ckpt_sum_kind kind, struct ckpt_sum *ret)
{
	const size_t n = kinds[kind].size;

	if (n == 0 || len < 2 * n)
		return false;
	*ret = (struct ckpt_sum) { .kind = kind };
	for (size_t i = 0; i < n; i++) {
		int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret->b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* Undoes the escapes of a name of @len bytes. False if they are wrong or it does not fit. */
static bool unescape(const char *from, size_t len, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = from[i];

		if (c == '\\') {
			c = ++i < len ? from[i] : 0;
			c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? '\\' : 0;
		}
		if (!c || n + 1 >= size)
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

/* A line's name. */
struct field {
	const char *s;
	size_t len;
	bool escaped;
};

static bool take_name(const struct field *field, char *name, size_t size)
{
	if (field->escaped)
		return unescape(field->s, field->len, name, size);
	if (field->len >= size || memchr(field->s, '\0', field->len))
		return false;
	memcpy(name, field->s, field->len);
	name[field->len] = '\0';
	return true;
}

/* The kind whose tag, then a blank and a parenthesis, @line begins with. */
static enum ckpt_sum_kind tagged(const char *line, size_t len)
{
	for (enum ckpt_sum_kind kind = CKPT_SUM_MD5; kind < CKPT_SUM_COUNT; kind++) {
		size_t n = strlen(kinds[kind].tag);

		if (n && len > n + 2 && memcmp(line, kinds[kind].tag, n) == 0 &&
		    memcmp(line + n, " (", 2) == 0)
			return kind;
	}
	return CKPT_SUM_NONE;
}

/* "KIND (NAME) = DIGEST": the digest's length tells where a name with any text in it ends. */
static bool tagged_line(struct field line, enum ckpt_sum_kind kind, struct ckpt_sum *ret,
			struct field *name)
{
	static const char between[] = ") = ";
	const size_t begin = strlen(kinds[kind].tag) + 2;
	const size_t end = sizeof(between) - 1 + 2 * (size_t)kinds[kind].size;

	if (line.len <= begin + end ||
	    memcmp(line.s + line.len - end, between, sizeof(between) - 1) != 0)
		return false;
	*name = (struct field) { line.s + begin, line.len - begin - end, line.escaped };
	return read_digits(line.s + line.len - 2 * (size_t)kinds[kind].size,
			   2 * (size_t)kinds[kind].size, kind, ret);
}

/* "DIGEST  NAME", "DIGEST *NAME", "DIGEST NAME" (md5 -r), "DIGEST". */
static bool plain_line(struct field line, enum ckpt_sum_kind kind, struct ckpt_sum *ret,
		       struct field *name)
{
	const size_t hex = 2 * (size_t)kinds[kind].size;
	size_t skip;

	if (!read_digits(line.s, line.len, kind, ret))
		return false;
	*name = (struct field) { line.s + line.len, 0, false };
	if (line.len == hex)
		return true;
	if (line.len < hex + 2 || line.s[hex] != ' ')
		return false;
	skip = hex + 1 + (line.s[hex + 1] == ' ' || line.s[hex + 1] == '*');
	*name = (struct field) { line.s + skip, line.len - skip, line.escaped };
	return line.len > skip;
}

bool ckpt_sum_line(const char *line, size_t len, enum ckpt_sum_kind kind, struct ckpt_sum *ret,
		   char *name, size_t size)
{
	bool escaped = len > 0 && line[0] == '\\';
	struct field text = { line + escaped, len - escaped, escaped }, field;
	enum ckpt_sum_kind tag;

	while (text.len > 0 && strchr("\r\n", text.s[text.len - 1]) && text.s[text.len - 1])
		text.len--;
	tag = tagged(text.s, text.len);
	return (tag ? tagged_line(text, tag, ret, &field) : plain_line(text, kind, ret, &field)) &&
	       take_name(&field, name, size);
}

/* A run, and what its threads found. */
struct pool {
	const struct ckpt_sums_job *job;
	atomic_size_t next;
	atomic_bool stop;
	pthread_mutex_t lock;
	int result; /* the first errno, or the answer, which outweighs it */
	size_t bad;
};

struct worker {
	struct pool *pool;
};

static void conclude(struct pool *pool, int result, size_t file)
{
	pthread_mutex_lock(&pool->lock);
	if (result > pool->result || pool->result == 0) {
		pool->result = result;
		pool->bad = file;
	}
	pthread_mutex_unlock(&pool->lock);
	pool->stop = true;
}

/* Feeds the whole of @file to @md. 0 or as ckpt_file_read(). */
static int digest_file(struct pool *pool, const struct ckpt_file *file, EVP_MD_CTX *md,
		       uint8_t *buf)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < file->size && !pool->stop; at += BUFFER) {
		uint64_t left = file->size - at;
		size_t n = left < BUFFER ? (size_t)left : BUFFER;

		r = ckpt_file_read(file, at, buf, n, NULL);
		if (r == 0 && lib->EVP_DigestUpdate(md, buf, n) != 1)
			r = -ENOTSUP;
	}
	return r;
}

/* Begins a digest of @kind of @file: a Git blob has a header (gitformat-loose(5)). */
static bool begin(EVP_MD_CTX *md, enum ckpt_sum_kind kind, const struct ckpt_file *file)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	const EVP_MD *type = lib->EVP_get_digestbyname(kinds[kind].crypto);
	char header[32];
	int n = snprintf(header, sizeof(header), "blob %llu", (unsigned long long)file->size);

	return type && lib->EVP_DigestInit_ex(md, type, NULL) == 1 &&
	       (kind != CKPT_SUM_GIT || lib->EVP_DigestUpdate(md, header, (size_t)n + 1) == 1);
}

/* 0; MISMATCH; CHANGED; or an errno. */
static int compare_file(struct pool *pool, const struct ckpt_sum_file *f, EVP_MD_CTX *md,
			uint8_t *buf)
{
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	uint8_t found[EVP_MAX_MD_SIZE];
	int r = ckpt_file_open(pool->job->ctx, pool->job->dirfd, f->name, &file, NULL);

	if (r)
		return r > 0 || r == -ENOENT ? CKPT_SUMS_CHANGED : r;
	if (!ckpt_identity_same(&file.id, f->id))
		return CKPT_SUMS_CHANGED;
	if (!begin(md, f->sum->kind, &file))
		return -ENOTSUP;
	r = digest_file(pool, &file, md, buf);
	if (r)
		return r > 0 ? CKPT_SUMS_CHANGED : r;
	if (ckpt_file_unchanged(&file) != 1)
		return CKPT_SUMS_CHANGED;
	if (pool->stop)
		return 0;
	if (lib->EVP_DigestFinal_ex(md, found, NULL) != 1)
		return -ENOTSUP;
	return memcmp(found, f->sum->b, kinds[f->sum->kind].size) ? CKPT_SUMS_MISMATCH : 0;
}

static void *worker_main(void *arg)
{
	struct pool *pool = ((struct worker *)arg)->pool;
	const struct ckpt_libcrypto *lib = ckpt_libcrypto();
	_cleanup_free_ uint8_t *buf = aligned_alloc(CKPT_PAGES_ALIGN, BUFFER);
	EVP_MD_CTX *md = lib ? lib->EVP_MD_CTX_new() : NULL;
	size_t i;

	if (!md || !buf)
		conclude(pool, lib ? -ENOMEM : -ENOTSUP, 0);
	while (md && buf && !pool->stop && (i = pool->next++) < pool->job->n) {
		const struct ckpt_sum_file *f = &pool->job->files[i];
		int r = 0;

		if (ckpt_share_takes_file(pool->job->ctx->share, f->name))
			r = compare_file(pool, f, md, buf);
		if (r)
			conclude(pool, r, i);
	}
	if (md)
		lib->EVP_MD_CTX_free(md);
	return NULL;
}

int ckpt_sums_run(const struct ckpt_sums_job *job, size_t *ret_bad)
{
	struct pool pool = { .job = job, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct worker workers[CKPT_WORKERS_MAX];
	int n = ckpt_ctx_threads(job->ctx);

	n = n < CKPT_WORKERS_MAX ? n : CKPT_WORKERS_MAX;
	n = (size_t)n < job->n ? n : (int)job->n;
	for (int i = 0; i < CKPT_WORKERS_MAX; i++)
		workers[i].pool = &pool;
	if (n > 0)
		ckpt_workers_run(worker_main, workers, sizeof(*workers), n);
	pthread_mutex_destroy(&pool.lock);
	if (pool.result != 0)
		*ret_bad = pool.bad;
	return pool.result;
}
