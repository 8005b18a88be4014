/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of the page cache when a file is read: one policy below all readers. A checkpoint
 * that fits a quarter of the memory is read through the page cache and stays there, since the job
 * is about to read it too. A larger one, which would push out what others need, leaves the page
 * cache as it was: what is not in it is read past it (O_DIRECT) where buffer and offset allow, or
 * else through it, and dropped again. The bytes are the same in each way. Only file.c calls the
 * first four functions.
 */
#ifndef CKPT_CORE_BASE_PAGES_H
#define CKPT_CORE_BASE_PAGES_H

#include "core/base/file.h"

#define CKPT_PAGES_ALIGN ((uint64_t)4096) /* of what is read past the page cache */
#define CKPT_PAGES_BUFFER ((uint64_t)512) /* alignment of the memory for it */

/* What of the file's pages has to be as it was once the file is closed. */
enum ckpt_pages {
	CKPT_PAGES_ANY,	  /* nothing: they may fill the page cache, or all are in it */
	CKPT_PAGES_NONE,  /* none was in memory at the opening: none afterwards */
	CKPT_PAGES_THOSE, /* those that were in memory, and no others */
};

/* Decides for @file, which was just opened. Cannot fail: what is not to be found out is left alone.
 */
void ckpt_pages_open(struct ckpt_file *file);

/* Gives a copy of @file, with a descriptor of its own, what it needs. */
void ckpt_pages_share(struct ckpt_file *file);

/* Before the descriptor is closed. */
void ckpt_pages_close(struct ckpt_file *file);

/*
 * As pread(2) of byte @at of the descriptor's file, with -1 and errno; may return less where that
 * serves the policy.
 */
ssize_t ckpt_pages_pread(const struct ckpt_file *file, void *buf, size_t len, uint64_t at);

/* What of [@off, @off + @len) of the whole file is in memory; enum ckpt_cached of memory.h. */
int ckpt_pages_cached(const struct ckpt_file *file, uint64_t off, uint64_t len);

/*
 * Tells that [@off, @off + @len) of @file will be read soon, of many such pieces one after the
 * other. False if there is no use in it: they are in memory, or have to stay out of it.
 */
bool ckpt_pages_soon(const struct ckpt_file *file, uint64_t off, uint64_t len);

/* How much of a buffer of @size bytes, whole pages, to fill from @off of @file on, so that what
 * follows begins with a page. */
size_t ckpt_pages_room(const struct ckpt_file *file, uint64_t off, size_t size);

/*
 * Tells that the content of a checkpoint of at least @bytes in all its files is about to be read:
 * whether it fits, beside what this work has filled the page cache with before, is decided for all
 * of them alike. @next: another than was told before.
 */
void ckpt_pages_expect(struct ckpt_ctx *ctx, uint64_t bytes, bool next);

#endif
