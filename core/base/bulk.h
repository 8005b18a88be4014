/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading most of a file once, by several threads, at the speed of where its bytes are: what is in
 * memory is copied from there; what is not is read ahead into the page cache, or, where that is to
 * be left as it was (pages.h), past it in large pieces. The bytes are the same in each way.
 */
#ifndef CKPT_CORE_BASE_BULK_H
#define CKPT_CORE_BASE_BULK_H

#include "core/base/file.h"

#define CKPT_BULK_MOST ((size_t)256 * 1024) /* of one read: fits a core's L2 cache */
/* Past the page cache no read goes beyond a multiple of that in the file, the size of a huge page:
 * work that is cut there is read in one piece. */
#define CKPT_BULK_BLOCK ((size_t)2 * 1024 * 1024)

/* A file that is being read; shared by its readers. */
struct ckpt_bulk {
	const struct ckpt_file *file; /* borrowed */
	struct ckpt_file whole;	      /* it, or what it is a view of; borrowed */
	/* What is read past the page cache: each reader's part. NULL: nothing is. */
	char *arena;
	size_t arena_size, each; /* bytes; a part is a power of two */
	size_t readers;		 /* that have one */
};

/* Prepares for reading @file, which has to live as long, by @threads readers. Takes up to 24 MiB,
 * and more than 260 KiB a reader only then. Cannot fail. */
void ckpt_bulk_init(struct ckpt_bulk *bulk, const struct ckpt_file *file, int threads);

/* Frees what it took, after the readers are done. */
void ckpt_bulk_done(struct ckpt_bulk *bulk);

/* One thread's. */
struct ckpt_bulk_reader {
	struct ckpt_bulk *bulk;
	char *buf;		     /* CKPT_BULK_MOST bytes and a cache line */
	char *direct_buf;	     /* NULL until it is needed */
	uint64_t begin, end;	     /* the window */
	bool direct;		     /* some of it is not in memory, and to be read past that */
	uint64_t held_off, held_len; /* what direct_buf holds of the file */
	uint64_t next;		     /* where the last read ended */
};

/* Makes a reader of @bulk, one of those it was told of; takes 256 KiB. 0 or -ENOMEM. */
int ckpt_bulk_reader_init(struct ckpt_bulk_reader *reader, struct ckpt_bulk *bulk);

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

/* What one of several threads does with its reader: takes its share from a common pool. */
typedef void ckpt_bulk_fn(struct ckpt_bulk_reader *reader, void *arg);

/* Runs @fn in up to @n threads (at most CKPT_WORKERS_MAX), each with a reader of @file, and returns
 * when all have ended. 0, also with fewer of them; or -ENOMEM: not one was run. */
int ckpt_bulk_run(const struct ckpt_file *file, int n, ckpt_bulk_fn *fn, void *arg);

#endif
