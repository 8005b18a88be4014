/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharded weights: NAME.index.json maps every tensor to a shard in the same directory. The index
 * stands for the whole set: every shard must exist and pass its own check, and hold the tensors
 * that the index says it holds (which only safetensors shards tell without being loaded).
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_INDEX_H
#define CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_INDEX_H

#include "core/format/format.h"

/* The row "safetensors-index". */
extern const struct ckpt_format ckpt_format_safetensors_index;

#endif
