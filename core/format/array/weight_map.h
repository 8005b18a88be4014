/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The weight_map of an index file in bounded tables: names of shards, and a hash a tensor.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_WEIGHT_MAP_H
#define CKPT_CORE_FORMAT_ARRAY_WEIGHT_MAP_H

#include "core/base/jstream.h"
#include "core/format/format.h"

#define CKPT_WEIGHT_MAP_SHARDS 1024	/* the largest public models have under 200 */
#define CKPT_WEIGHT_MAP_TENSORS 1048576 /* 16 MiB; the largest public models have about 100,000 */
#define CKPT_WEIGHT_MAP_FOLDERS 7	/* pipelines keep each model in a folder of its own: 1 */

/* One tensor: two words, so that the table sorts by shard, then name. */
struct ckpt_weight {
	uint64_t shard, hash;
};

struct ckpt_weight_map {
	char *shards[CKPT_WEIGHT_MAP_SHARDS]; /* paths below the index's directory */
	uint64_t shard_hashes[CKPT_WEIGHT_MAP_SHARDS];
	size_t n_shards;
	struct ckpt_weight *weights; /* sorted */
	size_t n_weights, cap_weights;
};

/*
 * Reads the index check->file into @map (zeroed by the caller) and adds tensors and keys to the
 * report. As a check function: CORRUPT for a shard that does not lie in the directory or below,
 * INCOMPLETE where it names no tensor, UNREADABLE beyond the caps.
 */
int ckpt_weight_map_read(struct ckpt_check *check, struct ckpt_weight_map *map);

/* Finds the name of the tensor with hash @hash once more, cut to @size bytes. 0 or an errno. */
int ckpt_weight_map_name(struct ckpt_check *check, uint64_t hash, char *ret, size_t size);

/* Frees it; a zeroed one is fine. */
void ckpt_weight_map_done(struct ckpt_weight_map *map);
#define _cleanup_weight_map_ _cleanup_(ckpt_weight_map_done)

#endif
