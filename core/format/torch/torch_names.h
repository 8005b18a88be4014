/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of tensors whose storages lie in a range of a PyTorch zip.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_NAMES_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_NAMES_H

#include "core/format/names_at.h"

/*
 * The row's at(): a storage is named by the keys that lead to it in the pickle
 * ("model/layer.weight"), or as its record where the pickle does not tell; other records by their
 * names. Memory is constant: storages beyond the first 64 are counted alone.
 */
int ckpt_torch_zip_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		      struct ckpt_names *names);

/* The row's tensors(): the storages whose path the pickle tells, once each mention. A storage has
 * no shape, only a length. */
int ckpt_torch_zip_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg);

#endif
