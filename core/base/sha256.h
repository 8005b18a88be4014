/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 of whole files, many at a time, in constant memory: for lists of digests that others
 * wrote.
 */
#ifndef CKPT_CORE_BASE_SHA256_H
#define CKPT_CORE_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/file.h"
#include "core/base/sha256_blocks.h"

/* One file of a list; the verdict is filled in. */
struct ckpt_sha256_item {
	const char *name; /* relative to the list's directory */
	uint8_t expected[CKPT_SHA256_SIZE];
	uint64_t size; /* out: of the file */
	int result;    /* out: 0, ckpt_sha256_result, or an errno (-ENOENT: no such file) */
};

enum ckpt_sha256_result {
	CKPT_SHA256_MISMATCH = 1,
	CKPT_SHA256_CHANGED,	 /* while it was read */
	CKPT_SHA256_NOT_REGULAR, /* a directory or a device */
	CKPT_SHA256_UNREAD,	 /* not tried: another item ended the run */
};

/* 64 hexadecimal digits to bytes. False for anything else. */
bool ckpt_sha256_parse(const char *hex, uint8_t ret[CKPT_SHA256_SIZE]);

/*
 * Reads and compares the @n @items below @dirfd with all threads of the context, several files a
 * thread. Ends early at the first item that does not match. 0 if all match; CKPT_SHA256_MISMATCH if
 * some item has a result other than 0 that is an answer (-ENOENT included); or an errno.
 */
int ckpt_sha256_verify(struct ckpt_ctx *ctx, int dirfd, struct ckpt_sha256_item *items, size_t n,
		       struct ckpt_error *err);

#endif
