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

/* Appends @end to @ret's series. */
void ckpt_name_end_series(struct ckpt_name *ret, const char *end);

#endif
