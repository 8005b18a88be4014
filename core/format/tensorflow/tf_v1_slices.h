/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages in a V1 checkpoint (saved_tensor_slice.proto): the list of tensors, and the slices
 * held against it.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_V1_SLICES_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_V1_SLICES_H

#include "core/format/format.h"
#include "core/format/tensorflow/proto_file.h"
#include "core/format/torch/storages.h"

/* A number of progress in the block under way: worth something once the block's CRC holds. */
struct ckpt_tf_v1_number {
	bool found;
	int64_t value;
};

struct ckpt_tf_v1 {
	struct ckpt_check *check;
	struct ckpt_window in;
	struct ckpt_storages slices; /* by a hash of name and extents: elements and type */
	bool cut;		     /* there are more */
	uint64_t seen;		     /* slices found */
	struct ckpt_tf_v1_number step, epoch;
};

/* Takes the list at [@off, @off + @len): SavedTensorSlices with meta. As a check function. */
int ckpt_tf_v1_list(struct ckpt_tf_v1 *v, uint64_t off, uint64_t len);

/* Holds the slice at [@off, @off + @len) against the list. As a check function. */
int ckpt_tf_v1_slice(struct ckpt_tf_v1 *v, uint64_t off, uint64_t len);

#endif
