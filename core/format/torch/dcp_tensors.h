/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tensors of a distributed checkpoint as its `.metadata` knows them: each with its fully
 * qualified name, type and shape (Metadata.state_dict_metadata and TensorStorageMetadata of
 * torch/distributed/checkpoint/metadata.py), however its parts are spread over ranks and files.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_DCP_TENSORS_H
#define CKPT_CORE_FORMAT_TORCH_DCP_TENSORS_H

#include "core/format/format.h"

/*
 * The tensors() of the row that takes such a file. A pickle by another name than `.metadata` or
 * `__RANK.metadata` tells none, and is not read. Items that are no tensors are not told. UNREADABLE
 * where a name or a shape could not be made out: then what was told is not all.
 */
int ckpt_dcp_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg);

#endif
