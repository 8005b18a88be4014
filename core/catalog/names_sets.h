/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the two parts of the reading of names (names.c, names_sets.c) have of each other; nobody
 * else includes this. Each reads @name into @ret: 0, or CKPT_NAME_NONE.
 */
#ifndef CKPT_CORE_CATALOG_NAMES_SETS_H
#define CKPT_CORE_CATALOG_NAMES_SETS_H

#include "core/catalog/names.h"

/* By the rows of @kind, the first that takes it. */
int ckpt_name_parse_rows(const char *name, enum ckpt_kind kind, struct ckpt_name *ret);

/* As a member of a bundle of TensorFlow. */
int ckpt_name_parse_bundle(const char *name, struct ckpt_name *ret);

/* As a shard, or the index of shards. */
int ckpt_name_parse_shards(const char *name, struct ckpt_name *ret);

/*
 * As the file of one rank, by a word inside a name that is a checkpoint's without it: "_rank0",
 * "-rank-00", ".rank=3", "rank_3_of_8" (as the examples of PyTorch's FSDP and PyTorch/XLA name
 * them, "-rank-00000000-of-00000008"), fairseq's "-shard0". Two of them are left alone.
 */
int ckpt_name_parse_ranked(const char *name, struct ckpt_name *ret);

/* Appends @end to @text of @size bytes. */
void ckpt_name_end(char *text, size_t size, const char *end);

/* Appends @end to @ret's series. */
void ckpt_name_end_series(struct ckpt_name *ret, const char *end);

#endif
