/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shards of a directory by their numbered names: which are there, and which of a grid of ranks
 * is not.
 */
#ifndef CKPT_CORE_FORMAT_TRAIN_SHARDS_H
#define CKPT_CORE_FORMAT_TRAIN_SHARDS_H

#include "core/format/format.h"

#define CKPT_SHARDS_MAX 65536 /* names kept: a few a rank */
#define CKPT_SHARD_NUMBERS 3

/* One known name; each '#' in it stands for digits. Rows may share a @kind, which is below 32. */
struct ckpt_shard_row {
	const char *pattern;
	uint8_t kind;
};

struct ckpt_shard {
	char *name;
	uint8_t kind, n;		 /* numbers in the name */
	uint64_t no[CKPT_SHARD_NUMBERS]; /* in the name's order; those beyond n are 0 */
};

/* Sorted by kind, then numbers, then name. */
struct ckpt_shards {
	struct ckpt_shard *list;
	size_t n, cap;
	unsigned kinds; /* 1 << kind of all that are there */
};

/* Frees what it holds; a zeroed one is fine. */
void ckpt_shards_done(struct ckpt_shards *shards);
#define _cleanup_shards_ _cleanup_(ckpt_shards_done)

/*
 * Lists the entries of check->dirfd that one of @rows (ended by a NULL pattern) knows. 0,
 * CKPT_UNREADABLE (more than CKPT_SHARDS_MAX) or an errno.
 */
int ckpt_shards_list(struct ckpt_check *check, const struct ckpt_shard_row *rows,
		     struct ckpt_shards *ret);

/* True if @name is @pattern; fills @ret's numbers then. */
bool ckpt_shard_match(const char *name, const char *pattern, struct ckpt_shard *ret);

/*
 * The first place in the grid of @dims (0 = as far as the shards of @kind go) that none of @kind
 * has, in the order of the numbers. Shards outside the grid do not count; *@ret_outside (may be
 * NULL) is one of them or NULL. True with @gap filled if there is one.
 */
bool ckpt_shards_gap(const struct ckpt_shards *shards, uint8_t kind,
		     const uint64_t dims[CKPT_SHARD_NUMBERS], uint64_t gap[CKPT_SHARD_NUMBERS],
		     const struct ckpt_shard **ret_outside);

/* The first shard of @kind, or NULL. */
const struct ckpt_shard *ckpt_shards_first(const struct ckpt_shards *shards, uint8_t kind);

/*
 * ckpt_check_member(), for a member that must be of a known format: anything else is CORRUPT.
 * @member must not be NULL.
 */
int ckpt_shard_check(struct ckpt_check *check, const char *name, enum ckpt_level level,
		     struct ckpt_report *member);

#endif
