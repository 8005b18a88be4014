/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of what lies in a data file of a distributed checkpoint: its `.metadata` keeps for each
 * item the fully qualified name (MetadataIndex of torch/distributed/checkpoint/metadata.py) beside
 * file, offset and length (_StorageInfo of filesystem.py).
 */
#ifndef CKPT_CORE_FORMAT_TORCH_DCP_NAMES_H
#define CKPT_CORE_FORMAT_TORCH_DCP_NAMES_H

#include "core/format/names_at.h"

/*
 * Offers the names of the items of which, by the metadata @file, some bytes lie in @extent, each
 * once. Memory is constant: items beyond the first 64 are counted alone. 0 also where the file is
 * no such pickle; an errno where it could not be read.
 */
int ckpt_dcp_names_read(const struct ckpt_file *file, const struct ckpt_extent *extent,
			struct ckpt_names *names, struct ckpt_error *err);

/* The at() of rows of such directories: the same for all their metadata files. */
int ckpt_dcp_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		struct ckpt_names *names);

#endif
