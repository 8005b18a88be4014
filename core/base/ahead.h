/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a file that are in memory, fetched into the CPU's cache while it computes, so that the
 * pread(2) that follows copies them from there: memory, which lies idle meanwhile, is what such a
 * copy waits for. For that the file is mapped, but no byte of the mapping is ever loaded, so that
 * no truncation can raise SIGBUS: the page tables are filled by MADV_POPULATE_READ, which returns
 * an error for what was cut off, and prefetch instructions do nothing where there is no page. What
 * is checked is what pread(2) gives, as ever.
 *
 * Costs: filling and emptying page tables, and each time an interrupt to the CPUs of the other
 * threads, 30 us in a virtual machine; hence large windows. Resident memory grows by a window a
 * thread, of pages that are in the page cache anyway. On two cores (Emerald Rapids, Linux 6.18,
 * ext4) the kernel's part of hashing 4 GiB is 0.2 s of CPU time instead of 0.64, all of it 0.65 s
 * instead of 0.84. On a Zen 4 it does not pay: 0.97 s instead of 0.89.
 */
#ifndef CKPT_CORE_BASE_AHEAD_H
#define CKPT_CORE_BASE_AHEAD_H

#include "core/base/file.h"

/* Of a window, and so of the resident memory that one thread adds. */
#define CKPT_AHEAD_WINDOW ((size_t)16 * 1024 * 1024)

/* What one thread has mapped. */
struct ckpt_ahead {
	const uint8_t *map; /* NULL: nothing; owned */
	size_t len;
	uint64_t off, ino, dev; /* of the file's first mapped byte; the file */
};

/* Whether this CPU is one that it makes faster: an x86 that is not AMD's. For the context. */
bool ckpt_ahead_pays(void);

/*
 * Maps the CKPT_AHEAD_WINDOW bytes of @file from @off on, or up to its end, in place of what was
 * mapped before. True if they can be fetched. False, and nothing is mapped, where that would not
 * pay or not be right: the context does not allow it (ctx->ahead), some of them are not in memory
 * or have to stay out of it (pages.h), they come from elsewhere than the descriptor, the file
 * system is not a local one, the kernel is older than 5.14, or the CPU is not an x86.
 */
bool ckpt_ahead_map(struct ckpt_ahead *ahead, const struct ckpt_file *file, uint64_t off);

/* The address of byte @off of @file, for prefetch instructions only; NULL unless all @len bytes
 * from there on are mapped. */
const uint8_t *ckpt_ahead_at(const struct ckpt_ahead *ahead, const struct ckpt_file *file,
			     uint64_t off, size_t len);

/* Unmaps; one that is zeroed is fine. */
void ckpt_ahead_done(struct ckpt_ahead *ahead);
#define _cleanup_ahead_ _cleanup_(ckpt_ahead_done)

#endif
