/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of digests that people leave beside their files, and lines of lists of them: as md5sum,
 * sha1sum, sha256sum, sha512sum and b2sum write them, and as the BSDs do (and those with --tag).
 */
#ifndef CKPT_CORE_INTEGRITY_SUMS_H
#define CKPT_CORE_INTEGRITY_SUMS_H

#include "core/base/file.h"

#define CKPT_SUM_SIZE 64 /* bytes of the longest */

/* Where a file has several, the later one here is compared; SHA-256 is the fastest of the strong.
 */
enum ckpt_sum_kind {
	CKPT_SUM_NONE, /* not known */
	CKPT_SUM_MD5,
	CKPT_SUM_SHA1,
	CKPT_SUM_GIT, /* SHA-1 of "blob SIZE", a NUL and the file: the name that Git gives it */
	CKPT_SUM_SHA224,
	CKPT_SUM_BLAKE2B,
	CKPT_SUM_SHA384,
	CKPT_SUM_SHA512,
	CKPT_SUM_SHA256,
	CKPT_SUM_COUNT,
};

struct ckpt_sum {
	enum ckpt_sum_kind kind;
	uint8_t b[CKPT_SUM_SIZE];
};

/* "SHA-256". */
const char *ckpt_sum_name(enum ckpt_sum_kind kind);

/* Bytes of a digest; 0 for NONE. */
size_t ckpt_sum_size(enum ckpt_sum_kind kind);

/* MD5, SHA-1 and Git's: somebody who wants to can make another file with the same digest; accidents
 * do not. */
bool ckpt_sum_weak(enum ckpt_sum_kind kind);

/*
 * Reads one line of @len bytes of a list: "DIGEST  NAME", "DIGEST *NAME", "DIGEST NAME" or
 * DIGEST alone, of @kind (NONE: such lines are none), or "KIND (NAME) = DIGEST" of whatever kind it
 * says; with sha256sum's escapes in the name where the line begins with a backslash. True with
 * *@ret and the name in @name of @size bytes, which is "" for a digest alone.
 */
bool ckpt_sum_line(const char *line, size_t len, enum ckpt_sum_kind kind, struct ckpt_sum *ret,
		   char *name, size_t size);

/* One file, and what its digest should be (not SHA-256, which digest.h is faster with). */
struct ckpt_sum_file {
	const char *name;
	const struct ckpt_identity *id;
	const struct ckpt_sum *sum;
};

struct ckpt_sums_job {
	struct ckpt_ctx *ctx;
	int dirfd;
	const struct ckpt_sum_file *files;
	size_t n;
};

enum ckpt_sums_result {
	CKPT_SUMS_MISMATCH = 1,
	CKPT_SUMS_CHANGED, /* a file is not, or no longer, what its identity says; outweighs */
};

/*
 * Reads and compares all files of @job with all threads of the context, one file a thread, in
 * constant memory; those that are not of its share are left out. 0; ckpt_sums_result with the file
 * in *@ret_bad; -ENOTSUP where libcrypto does not have a kind; or an errno (-ETIMEDOUT ...) with
 * one of the files that it was about.
 */
int ckpt_sums_run(const struct ckpt_sums_job *job, size_t *ret_bad);

#endif
