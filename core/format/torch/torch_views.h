/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which parts of storages tensors consist of: what else a storage holds, nobody reads back.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_VIEWS_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_VIEWS_H

#include "core/format/finiteness.h"
#include "core/format/torch/pickle.h"
#include "core/format/torch/storages.h"
#include "wire/cleanup.h"

#define CKPT_TORCH_RUNS_MAX 262144 /* 6 MB; no real file has so many views of parts */

/* Bytes [begin, end) of the storage @key. */
struct ckpt_torch_run {
	uint64_t key, begin, end;
};

/* Zero-initialised. */
struct ckpt_torch_views {
	struct ckpt_torch_run *runs;
	size_t n, cap;
	struct ckpt_storage *pending; /* mentioned, and no tensor yet that it is for */
	bool loose;		      /* a storage without a key was: any may be used as a whole */
};

/* A mention of a storage in the pickle is to come: the one before, if no tensor took a part of it,
 * is used as a whole (record->whole). Also once all have come. */
void ckpt_torch_views_settle(struct ckpt_torch_views *views);

/* This was it: @record, or NULL; borrowed until it is settled. */
void ckpt_torch_views_mention(struct ckpt_torch_views *views, struct ckpt_storage *record,
			      bool has_key);

/*
 * The tensor that the mention is for. Adds its runs: just its elements, or the span from its first
 * to its last where these lie in more than 16384 pieces. The storage is used as a whole where it is
 * all of it, does not fit into it, or there is no room left.
 */
void ckpt_torch_views_take(struct ckpt_torch_views *views, const struct ckpt_pickle_view *view);

/* Bytes of the storage from the tensor's first element to behind its last. False where it has no
 * elements or does not fit into the storage. */
bool ckpt_torch_view_span(const struct ckpt_pickle_view *view, uint64_t *ret_begin,
			  uint64_t *ret_end);

/* Once all are added: orders the runs by storage and place, and joins those that touch. */
void ckpt_torch_views_join(struct ckpt_torch_views *views);

/* How many runs the storage @key has, after the join, and the number of the first. */
size_t ckpt_torch_views_find(const struct ckpt_torch_views *views, uint64_t key, size_t *ret_first);

/* Counts NaN and Inf in the runs of the storage storage->tag, which lies at @storage of
 * check->file. As a check function. */
int ckpt_torch_views_scan(struct ckpt_check *check, const struct ckpt_torch_views *views,
			  const struct ckpt_finite_range *storage, struct ckpt_floats *ret);

/* Frees them. */
void ckpt_torch_views_done(struct ckpt_torch_views *views);

#endif
