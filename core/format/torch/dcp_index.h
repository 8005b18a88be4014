/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the `.metadata` of PyTorch's distributed checkpoint says about its data files: which item
 * lies in which file, at which offset, how long (dataclass _StorageInfo of
 * torch/distributed/checkpoint/filesystem.py). The pickle is scanned, never unpickled.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_DCP_INDEX_H
#define CKPT_CORE_FORMAT_TORCH_DCP_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/format/torch/pickle.h"

#define CKPT_DCP_FILES 65536  /* names kept: one a rank and writer thread */
#define CKPT_DCP_ITEMS 524288 /* items kept, 24 bytes each: 300 layers on 1,000 ranks */

/*
 * Of an item's length: it is a part of a tensor, stored as torch.save() wrote it
 * (_write_item() of filesystem.py; lengths end below 2^63).
 */
#define CKPT_DCP_TENSOR (UINT64_C(1) << 63)

/* A data file and what of it the items need. */
struct ckpt_dcp_file {
	char *name;
	uint64_t end; /* where the last of its items ends */
	bool used;    /* some item lies in it */
};

struct ckpt_dcp_index {
	struct ckpt_dcp_file *files;
	uint32_t *slots; /* open addressing over the names: index plus one, 0 = free */
	size_t n_files, cap_files, n_slots;
	uint64_t *items; /* rows of three words: file, offset, length and CKPT_DCP_TENSOR */
	size_t n_items, cap_items;
	uint64_t n_unplaced; /* items whose file is not known: the scan forgot its name */
	uint64_t n_unkept;   /* items beyond CKPT_DCP_ITEMS; they count for `end` */
	uint64_t n_tensors;  /* each once for all its items; 0 where it is not told */
	int fault;	     /* -ENOMEM, -E2BIG (CKPT_DCP_FILES), -EOVERFLOW (no such range) */
	struct {
		uint64_t file, off, len;
		unsigned have;
		bool tensor;
	} now; /* the record being read */
};

/* Frees what it holds. A zeroed index is fine. */
void ckpt_dcp_index_done(struct ckpt_dcp_index *index);
#define _cleanup_dcp_index_ _cleanup_(ckpt_dcp_index_done)

/*
 * Adds what the pickle at @in says to @index (zeroed at first; one call a metadata file). As
 * ckpt_pickle_scan(); CKPT_PICKLE_STOPPED with index->fault set.
 */
int ckpt_dcp_index_read(struct ckpt_dcp_index *index, struct ckpt_stream *in,
			struct ckpt_error *err);

/* Sorts the items by file and offset. */
void ckpt_dcp_index_sort(struct ckpt_dcp_index *index);

#endif
