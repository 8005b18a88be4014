/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The context of one piece of work: its deadline, its limits, its counters, and the seam through
 * which tests replace the clock and pread(2). Passed down, never global; safe to share between the
 * threads of one check.
 */
#ifndef CKPT_CORE_BASE_CTX_H
#define CKPT_CORE_BASE_CTX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ckpt_share;
struct ckpt_crc_deferred;

/* What tests replace. NULL members mean the real thing. */
struct ckpt_seam {
	int64_t (*now_ns)(void *arg);
	ssize_t (*pread)(void *arg, int fd, void *buf, size_t len, off_t off);
	/* enum ckpt_cached (memory.h) of a range of a file */
	int (*cached)(void *arg, int fd, uint64_t off, uint64_t len);
	/* statfs(2)'s f_type of a file's file system; 0 = unknown */
	uint32_t (*fs_type)(void *arg, int fd);
	uint64_t (*blocks)(void *arg, int fd); /* of 512 bytes that a file has */
	/* madvise(2) with MADV_POPULATE_READ */
	int (*populate)(void *arg, void *at, size_t len);
	uint64_t memory; /* bytes that are available; 0 = the machine's */
	void *arg;
};

/* Called now and then during long reads, from one thread at a time: bytes done of @total. */
typedef void ckpt_progress_fn(void *arg, const char *name, uint64_t done, uint64_t total);

/* What becomes of the page cache when files are read that are not in it. */
enum ckpt_cache {
	CKPT_CACHE_AUTO, /* FILL for a checkpoint that fits a quarter of the memory, else LEAVE */
	CKPT_CACHE_FILL,
	CKPT_CACHE_LEAVE,
};

struct ckpt_ctx {
	const struct ckpt_seam *seam; /* NULL in programs */
	int64_t deadline_ns;	      /* CLOCK_MONOTONIC; 0 = none */
	uint64_t max_bytes;	      /* cap on bytes read; 0 = none */
	int threads;		  /* for content checks; 0 = as many as the process may run on */
	struct ckpt_share *share; /* of a check that several do (share.h); NULL = all of it */
	/* Where checks leave their CRCs (crc_deferred.h); NULL = they compute them. */
	struct ckpt_crc_deferred *deferred;
	uint64_t seed;	/* of samples: the same seed reads the same parts */
	bool no_recall; /* do not read files that a tape system has released */
	bool tell_all;	/* look on behind the first difference from a digest */
	/* What was written after its seal, or its list of digests, has to be what they say where no
	 * checksum of its own proves it whole. Else it is taken for saved anew. */
	bool strict;
	bool ahead;	    /* map what is in memory to fetch it into the CPU's cache (ahead.h) */
	bool recall_chosen; /* but those of the checkpoint that is about to be chosen */
	ckpt_progress_fn *progress;
	void *progress_arg;
	enum ckpt_cache cache;
	uint64_t checkpoint_bytes; /* of the one being read, all its files; 0 = not known */
	uint64_t filled;	   /* bytes of checkpoints that were let into the page cache */
	uint64_t filling;	   /* of those the one being read */
	_Atomic uint64_t quarter;  /* of the memory; 0 = not asked for yet */
	_Atomic uint64_t bytes_read;
};

/* CLOCK_MONOTONIC in nanoseconds, or the seam's. @ctx may be NULL. */
int64_t ckpt_ctx_now(const struct ckpt_ctx *ctx);

/* 0 while there is time and allowance left; -ETIMEDOUT past the deadline; -EDQUOT past max_bytes.
 */
int ckpt_ctx_expired(const struct ckpt_ctx *ctx);

/* Threads a content check may use: ctx->threads, or the CPUs in the process's affinity mask, at
 * most 64. */
int ckpt_ctx_threads(const struct ckpt_ctx *ctx);

#endif
