/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing, at most half full.
 */
#include "core/format/torch/storages.h"

#include <errno.h>
#include <stdlib.h>

/* Where @key is or would be. There is always a free place. */
static struct ckpt_storage *place(struct ckpt_storage *slots, size_t cap, uint64_t key)
{
	size_t i = (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (cap - 1);

	while (slots[i].used && slots[i].key != key)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static int grow(struct ckpt_storages *table)
{
	size_t cap = table->cap ? table->cap * 2 : 64;
	struct ckpt_storage *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->cap; i++)
		if (table->slots[i].used)
			*place(slots, cap, table->slots[i].key) = table->slots[i];
	free(table->slots);
	table->slots = slots;
	table->cap = cap;
	return 0;
}

int ckpt_storages_add(struct ckpt_storages *table, const struct ckpt_storage *storage)
{
	struct ckpt_storage *at;
	int r;

	if (ckpt_storages_find(table, storage->key))
		return CKPT_STORAGES_TWICE;
	if (table->n == CKPT_STORAGES_MAX)
		return CKPT_STORAGES_FULL;
	if (table->n * 2 >= table->cap) {
		r = grow(table);
		if (r)
			return r;
	}
	at = place(table->slots, table->cap, storage->key);
	*at = *storage;
	at->used = true;
	table->n++;
	return 0;
}

struct ckpt_storage *ckpt_storages_find(const struct ckpt_storages *table, uint64_t key)
{
	struct ckpt_storage *at;

	if (!table->cap)
		return NULL;
	at = place(table->slots, table->cap, key);
	return at->used ? at : NULL;
}

void ckpt_storages_done(struct ckpt_storages *table)
{
	free(table->slots);
	*table = (struct ckpt_storages) { 0 };
}
