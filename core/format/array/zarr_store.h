/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arrays of zarr (zarr.h) where they lie: in an OCDBT store, or in folders, a file a chunk.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_ZARR_STORE_H
#define CKPT_CORE_FORMAT_ARRAY_ZARR_STORE_H

#include "core/format/array/zarr.h"

struct ckpt_zarr_store {
	struct ckpt_check *check; /* of the directory */
	const char *prefix;	  /* "" or a path below it that ends in a slash */
	enum ckpt_level level;
	bool all;	/* chunks of nothing but the fill value were written too */
	uint64_t bytes; /* of an OCDBT store's data files */
	/* Hears of each array, by its path below the directory; then chunks are not looked at. */
	ckpt_tensor_fn *tell;
	void *arg;
};

/*
 * Checks the OCDBT store: its tree (ckpt_ocdbt_tree()), each chunk in it, and, where all were
 * written, their number. Caps the evidence to STRUCTURE, where values are not covered by checksums.
 * As a check function.
 */
int ckpt_zarr_ocdbt(const struct ckpt_zarr_store *store);

/*
 * The same for folders: arrays are those that hold .zarray or zarr.json; other folders are looked
 * through for such. *@ret_arrays counts them. A missing chunk where not all were written is one of
 * nothing but the fill value: valid, and a note says how many.
 */
int ckpt_zarr_folders(const struct ckpt_zarr_store *store, uint64_t *ret_arrays);

#endif
