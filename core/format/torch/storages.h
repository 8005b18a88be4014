/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tensor storages by number: the records of a PyTorch file against what its pickle mentions.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_STORAGES_H
#define CKPT_CORE_FORMAT_TORCH_STORAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/cleanup.h"

#define CKPT_STORAGES_MAX 524288 /* 24 MB: a model of 170,000 parameters with Adam */

struct ckpt_storage {
	uint64_t key, size;
	uint8_t element;
	uint8_t type; /* enum ckpt_float */
	bool used;    /* false: a free place */
	/* Marks of the caller's. */
	bool seen;
	bool whole;
};

/* Zero-initialised. */
struct ckpt_storages {
	struct ckpt_storage *slots;
	size_t n, cap;
};

enum ckpt_storages_result {
	CKPT_STORAGES_TWICE = 1, /* the key is there already; nothing changed */
	CKPT_STORAGES_FULL,	 /* CKPT_STORAGES_MAX are there */
};

/* Adds a storage. 0, ckpt_storages_result or -ENOMEM. */
int ckpt_storages_add(struct ckpt_storages *table, const struct ckpt_storage *storage);

/* The storage of that key, or NULL; borrowed until the next addition. */
struct ckpt_storage *ckpt_storages_find(const struct ckpt_storages *table, uint64_t key);

/* Frees it. */
void ckpt_storages_done(struct ckpt_storages *table);
#define _cleanup_storages_ _cleanup_(ckpt_storages_done)

#endif
