/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arena, interning by an open hash, and a list of visited directories (at most a few thousand, so
 * it is searched linearly).
 */
#include "core/catalog/pool.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"

#define CHUNK (256 * 1024) /* two thousand names */

struct ckpt_pool_chunk {
	struct ckpt_pool_chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct ckpt_visited {
	dev_t dev;
	ino_t ino;
};

struct ckpt_pool *ckpt_pool_new(void)
{
	return calloc(1, sizeof(struct ckpt_pool));
}

void ckpt_pool_free(struct ckpt_pool *pool)
{
	struct ckpt_pool_chunk *next;

	if (!pool)
		return;
	for (struct ckpt_pool_chunk *c = pool->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(pool->table);
	free(pool->visited);
	free(pool);
}

static int add_chunk(struct ckpt_pool *pool, size_t size)
{
	struct ckpt_pool_chunk *c;

	if (size < CHUNK)
		size = CHUNK;
	c = malloc(sizeof(*c) + size);
	if (!c)
		return -ENOMEM;
	c->next = pool->chunks;
	c->used = 0;
	c->size = size;
	pool->chunks = c;
	return 0;
}

void *ckpt_pool_alloc(struct ckpt_pool *pool, size_t size)
{
	char *p;

	if (__builtin_add_overflow(size, sizeof(void *) - 1, &size))
		return NULL;
	size &= ~(sizeof(void *) - 1);
	if ((!pool->chunks || pool->chunks->size - pool->chunks->used < size) &&
	    add_chunk(pool, size) < 0)
		return NULL;
	p = (char *)pool->chunks->data + pool->chunks->used;
	pool->chunks->used += size;
	return p;
}

const char *ckpt_pool_copy(struct ckpt_pool *pool, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = ckpt_pool_alloc(pool, size);

	return copy ? memcpy(copy, s, size) : NULL;
}

static uint64_t hash(const char *s)
{
	uint64_t h = ckpt_hash(CKPT_HASH_START, s, strlen(s));

	return h ^ h >> 32;
}

/* The slot of @s, or the free one where it belongs. */
static const char **slot_of(const char **table, size_t size, const char *s)
{
	size_t i = hash(s) & (size - 1);

	while (table[i] && strcmp(table[i], s) != 0)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static int grow_table(struct ckpt_pool *pool)
{
	size_t size = pool->table_size ? pool->table_size * 2 : 256;
	const char **table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < pool->table_size; i++) {
		if (pool->table[i])
			*slot_of(table, size, pool->table[i]) = pool->table[i];
	}
	free(pool->table);
	pool->table = table;
	pool->table_size = size;
	return 0;
}

const char *ckpt_pool_intern(struct ckpt_pool *pool, const char *s)
{
	const char **slot;

	if (pool->last && !strcmp(pool->last, s))
		return pool->last;
	if (pool->n_table >= pool->table_size / 2 && grow_table(pool) < 0)
		return NULL;
	slot = slot_of(pool->table, pool->table_size, s);
	if (!*slot) {
		*slot = ckpt_pool_copy(pool, s);
		pool->n_table += *slot != NULL;
	}
	pool->last = *slot;
	return *slot;
}

int ckpt_array_grow(void *array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *p;

	if (n < *cap)
		return 0;
	p = reallocarray(*(void **)array, more, size);
	if (!p)
		return -ENOMEM;
	*(void **)array = p;
	*cap = more;
	return 0;
}

int ckpt_pool_visit(struct ckpt_pool *pool, dev_t dev, ino_t ino)
{
	int r;

	for (size_t i = 0; i < pool->n_visited; i++) {
		if (pool->visited[i].dev == dev && pool->visited[i].ino == ino)
			return 1;
	}
	r = ckpt_array_grow(&pool->visited, pool->n_visited, &pool->visited_cap,
			    sizeof(*pool->visited));
	if (r < 0)
		return r;
	pool->visited[pool->n_visited++] = (struct ckpt_visited) { dev, ino };
	return 0;
}
