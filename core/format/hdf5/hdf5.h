/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HDF5 (.h5, .hdf5, Keras weights, NetCDF-4), superblocks 0 to 3, without libhdf5: a damaged file
 * must not be able to crash or grow the checker. Source: HDF5 File Format Specification 3.0.
 */
#ifndef CKPT_CORE_FORMAT_HDF5_HDF5_H
#define CKPT_CORE_FORMAT_HDF5_HDF5_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_hdf5;

/*
 * The row's at(): offers the data sets of which some bytes lie in @extent of check->file, and "its
 * metadata" where structures do, or where the walk ends at a fault there.
 */
int ckpt_hdf5_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		 struct ckpt_names *names);

/* The row's tensors(): the data sets by their paths. */
int ckpt_hdf5_tensors(struct ckpt_check *check, ckpt_tensor_fn *tell, void *arg);

#endif
