/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of many files with all threads of the context, in constant memory. Two kinds: the plain
 * digest of a whole file, as sha256sum prints it, which one thread has to compute from end to end;
 * and that of leaves, which threads share inside one file: SHA-256 of each MiB, then SHA-256 of the
 * leaves' digests of each chunk.
 */
#ifndef CKPT_CORE_INTEGRITY_DIGEST_H
#define CKPT_CORE_INTEGRITY_DIGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/crc_deferred.h"
#include "core/base/file.h"

#define CKPT_DIGEST_SIZE 32
#define CKPT_DIGEST_HEX (2 * CKPT_DIGEST_SIZE + 1) /* with the NUL */
#define CKPT_DIGEST_LEAF ((uint64_t)1024 * 1024)
#define CKPT_DIGEST_CHUNK (64 * CKPT_DIGEST_LEAF)	 /* the smallest chunk */
#define CKPT_DIGEST_CHUNK_MAX (65536 * CKPT_DIGEST_LEAF) /* 2 MiB of leaves' digests a thread */

struct ckpt_digest {
	uint8_t b[CKPT_DIGEST_SIZE];
};

/* Digest of @len bytes at @data. 0, -ENOMEM, or -ELIBACC where libcrypto cannot be loaded, which
 * up to CKPT_SHA256_PLAIN_MAX bytes are not worth. */
int ckpt_digest_of(const void *data, size_t len, struct ckpt_digest *ret);

/* Appends the 64 hex digits of @digest and a NUL to @buf of CKPT_DIGEST_HEX bytes. Returns @buf. */
const char *ckpt_digest_text(char *buf, const struct ckpt_digest *digest);

/* Reads 64 hex digits, of either case, from the beginning of @text. False if they are not there. */
bool ckpt_digest_parse(const char *text, struct ckpt_digest *ret);

/* Chunks of @chunk bytes that a file of @size bytes has. */
uint64_t ckpt_digest_chunks(uint64_t size, uint64_t chunk);

/* One file: its name relative to the job's directory, what it is now, and its digests: one for each
 * chunk, or one where the job is for plain digests. */
struct ckpt_digest_file {
	const char *name;
	struct ckpt_identity id;
	struct ckpt_digest *digests;
};

/* Where a file is not what it should be. */
struct ckpt_digest_bad {
	size_t file;	   /* index */
	uint64_t off, len; /* the chunk, or the whole file */
};

struct ckpt_digest_job {
	struct ckpt_ctx *ctx;
	int dirfd;
	const struct ckpt_digest_file *files;
	size_t n;
	uint64_t chunk; /* a multiple of the leaf up to CKPT_DIGEST_CHUNK_MAX; 0 = plain digests */
	bool compare;	/* the digests are what is expected; else they are filled in */
	/*
	 * Whether chunk number @chunk of file number @file is looked at (0: the whole file, for
	 * plain digests). NULL = all are. Called under a lock, in order.
	 */
	bool (*wants)(void *arg, size_t file, uint64_t chunk);
	void *arg;
	/*
	 * Gets each difference, under a lock, in no certain order, and goes on: MISMATCH is the
	 * result at the end, or where the rest could not be read. NULL = ends at the first.
	 */
	void (*differs)(void *arg, const struct ckpt_digest_bad *bad);
	/* Gets the CRCs of what is read; NULL = none. Only where ckpt_digest_tells() says so. */
	struct ckpt_crc_deferred *crcs;
	_Atomic uint64_t *done; /* counts the digests that were computed or compared; or NULL */
};

enum ckpt_digest_result {
	CKPT_DIGEST_MISMATCH = 1, /* *ret_bad is the first of those found */
	CKPT_DIGEST_CHANGED, /* a file is not, or no longer, what its identity says; outweighs */
};

/* Whether computing leaves' digests of @size bytes in all tells the CRCs of them in passing. */
bool ckpt_digest_tells(const struct ckpt_ctx *ctx, uint64_t size);

/*
 * Computes or compares the digests of all files of @job. 0; ckpt_digest_result with *@ret_bad; or
 * an errno (-ETIMEDOUT, -EDQUOT, -EIO ...) with its file.
 */
int ckpt_digest_run(const struct ckpt_digest_job *job, struct ckpt_digest_bad *ret_bad,
		    struct ckpt_error *err);

#endif
