/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the page cache holds of a file, and how much memory there is to fill with one.
 */
#ifndef CKPT_CORE_BASE_MEMORY_H
#define CKPT_CORE_BASE_MEMORY_H

#include <stdint.h>

enum ckpt_cached {
	CKPT_CACHED_NONE,
	CKPT_CACHED_SOME,
	CKPT_CACHED_ALL,
	CKPT_CACHED_UNKNOWN, /* the kernel does not tell: too old, or the file is another user's */
};

/*
 * How much of [@off, @off + @len) of @fd's file is in the page cache: by cachestat(2) of Linux 6.5,
 * which tells the file's owner and who may write it, else by mincore(2), which tells others a lie
 * and is only asked for the caller's own files. Reads nothing.
 */
enum ckpt_cached ckpt_cached(int fd, uint64_t off, uint64_t len);

/* As ckpt_cached(), by mincore(2) alone: for the test of it. */
enum ckpt_cached ckpt_cached_mincore(int fd, uint64_t off, uint64_t len);

/*
 * Bytes of memory that this process could make use of: MemAvailable, or the limit of the control
 * groups (v2 or v1) that it is in, whichever is less; 0 where neither can be read. @rootfd is "/",
 * below which proc and sys/fs/cgroup are looked for.
 */
uint64_t ckpt_memory_available(int rootfd);

#endif
