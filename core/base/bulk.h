/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading most of a file once, by several threads, at the speed of where its bytes are, without
 * harm to the page cache. What is in memory is copied from there. What is not is read ahead into
 * the page cache where the checkpoint fits a quarter of the memory, since the job is about to read
 * it too; a larger one, which would push out what others need, is read past the page cache
 * (O_DIRECT), or, where the file system refuses that, through it, and what was not there before is
 * dropped again. The bytes are the same in each way.
 */
#ifndef CKPT_CORE_BASE_BULK_H
#define CKPT_CORE_BASE_BULK_H

#include <pthread.h>

#include "core/base/file.h"

#define CKPT_BULK_MOST ((size_t)256 * 1024) /* of one read: fits a core's L2 cache */

/* How a file that is not in memory is read; UNDECIDED until the first such place is met. */
enum ckpt_bulk_way {
	CKPT_BULK_UNDECIDED,
	CKPT_BULK_FILL,	  /* through the page cache, ahead of the reader */
	CKPT_BULK_DIRECT, /* past it */
	CKPT_BULK_DROP,	  /* through it; what was brought in is dropped */
};

/* A file that is being read; shared by its readers. */
struct ckpt_bulk {
	const struct ckpt_file *file; /* borrowed */
	struct ckpt_file direct;      /* the whole file, past the page cache; name is borrowed */
	pthread_mutex_t lock;	      /* of way and direct */
	enum ckpt_bulk_way way;
};

/* Prepares for reading @file, which has to live as long. Cannot fail. */
void ckpt_bulk_init(struct ckpt_bulk *bulk, const struct ckpt_file *file);

/* Closes what reading needed, after the readers are done. */
void ckpt_bulk_done(struct ckpt_bulk *bulk);

/* One thread's. */
struct ckpt_bulk_reader {
	struct ckpt_bulk *bulk;
	char *buf;
	size_t size;
	uint64_t begin, end;	     /* the window: where the way below was found right */
	enum ckpt_bulk_way way;	     /* UNDECIDED: all of the window is in memory */
	bool drop;		     /* nothing of the window was in memory */
	uint64_t held_off, held_len; /* what buf holds of the file, read past the page cache */
	uint64_t next;		     /* where the last read ended */
};

/* Makes a reader of @bulk, one of @threads: at most 772 KiB, in all at most 32 MiB. 0 or -ENOMEM.
 */
int ckpt_bulk_reader_init(struct ckpt_bulk_reader *reader, struct ckpt_bulk *bulk, int threads);

/* Frees it; one that is zeroed is fine. */
void ckpt_bulk_reader_done(struct ckpt_bulk_reader *reader);

/* Tells that [@off, @off + @len) of the file is what will be read next and no more of it, so that
 * no other thread's part is read ahead. Only ever makes reading faster. */
void ckpt_bulk_expect(struct ckpt_bulk_reader *reader, uint64_t off, uint64_t len);

/* How many threads reading @file is worth where computing is worth @n: more for one that comes from
 * a disk, unless the context says how many. */
int ckpt_bulk_threads(const struct ckpt_file *file, int n);

/*
 * Reads exactly @len bytes (at most CKPT_BULK_MOST) at @off of the file. *@ret points to them until
 * the next call. Results are those of ckpt_file_read().
 */
int ckpt_bulk_read(struct ckpt_bulk_reader *reader, uint64_t off, size_t len, const void **ret,
		   struct ckpt_error *err);

#endif
