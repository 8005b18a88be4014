/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a catalog owns besides its arrays: an arena of strings, one copy of each series key, and the
 * directories that were scanned.
 */
#ifndef CKPT_CORE_CATALOG_POOL_H
#define CKPT_CORE_CATALOG_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ckpt_pool {
	struct ckpt_pool_chunk *chunks;
	const char **table; /* interned strings, an open hash; table_size is a power of two */
	size_t n_table, table_size;
	const char *last; /* most names of a directory are of one series */
	struct ckpt_visited *visited;
	size_t n_visited, visited_cap;
	size_t sets_cap, skipped_cap, runs_cap; /* of the catalog's arrays */
};

/* A new, empty pool; NULL = no memory. */
struct ckpt_pool *ckpt_pool_new(void);

/* Frees it and all that came from it; NULL is fine. */
void ckpt_pool_free(struct ckpt_pool *pool);

/* @size bytes, aligned for pointers, that live as long as the pool; NULL = no memory. */
void *ckpt_pool_alloc(struct ckpt_pool *pool, size_t size);

/* A copy of @s; NULL = no memory. */
const char *ckpt_pool_copy(struct ckpt_pool *pool, const char *s);

/* The one copy of @s that the pool has; NULL = no memory. */
const char *ckpt_pool_intern(struct ckpt_pool *pool, const char *s);

/* Notes a directory. 0; 1 when it was noted before; -ENOMEM. */
int ckpt_pool_visit(struct ckpt_pool *pool, dev_t dev, ino_t ino);

/*
 * Makes room for one more element of @size bytes in *@array, which has @n and *@cap of them. 0 or
 * -ENOMEM. The array is the caller's to free.
 */
int ckpt_array_grow(void *array, size_t n, size_t *cap, size_t size);

#endif
