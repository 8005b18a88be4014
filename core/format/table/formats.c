/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of formats. Directories that are told by what they hold stand above the HF Trainer's,
 * which takes any checkpoint-N, and that above the folder of no known layout; files by their first
 * bytes, the opaque row last.
 */
#include "core/format/archive/bzip2.h"
#include "core/format/archive/gzip.h"
#include "core/format/archive/lz4.h"
#include "core/format/archive/tar.h"
#include "core/format/archive/xz.h"
#include "core/format/archive/zip_plain.h"
#include "core/format/archive/zstd.h"
#include "core/format/array/netcdf.h"
#include "core/format/array/npy.h"
#include "core/format/array/npz.h"
#include "core/format/array/safetensors.h"
#include "core/format/array/safetensors_index.h"
#include "core/format/hdf5/hdf5.h"
#include "core/format/hdf5/keras.h"
#include "core/format/hpc/adios2.h"
#include "core/format/hpc/amrex.h"
#include "core/format/hpc/criu.h"
#include "core/format/hpc/dmtcp.h"
#include "core/format/hpc/fti.h"
#include "core/format/hpc/gromacs.h"
#include "core/format/hpc/kvtree.h"
#include "core/format/hpc/lammps.h"
#include "core/format/hpc/scr.h"
#include "core/format/hpc/veloc.h"
#include "core/format/jax/flax.h"
#include "core/format/jax/orbax.h"
#include "core/format/opaque.h"
#include "core/format/tensorflow/tf_bundle.h"
#include "core/format/tensorflow/tf_v1.h"
#include "core/format/torch/dcp.h"
#include "core/format/torch/pickle_file.h"
#include "core/format/torch/torch_legacy.h"
#include "core/format/torch/torch_tar.h"
#include "core/format/torch/torch_zip.h"
#include "core/format/train/accelerate.h"
#include "core/format/train/deepspeed.h"
#include "core/format/train/determined.h"
#include "core/format/train/enclosing.h"
#include "core/format/train/folder.h"
#include "core/format/train/hf_trainer.h"
#include "core/format/train/megatron.h"

/* One row a line. */
/* clang-format off */
const struct ckpt_format *const ckpt_formats[] = {
	&ckpt_format_torch_zip,
	&ckpt_format_torch_legacy,
	&ckpt_format_keras,
	&ckpt_format_npz,
	&ckpt_format_npy,
	&ckpt_format_safetensors,
	&ckpt_format_safetensors_index,
	&ckpt_format_lammps_set,
	&ckpt_format_tf_bundle,
	&ckpt_format_tf_v1,
	&ckpt_format_scr,
	&ckpt_format_fti,
	&ckpt_format_megatron,
	&ckpt_format_deepspeed,
	&ckpt_format_nemo,
	&ckpt_format_olmo,
	&ckpt_format_dcp,
	&ckpt_format_orbax,
	&ckpt_format_determined,
	&ckpt_format_accelerate,
	&ckpt_format_amrex,
	&ckpt_format_adios2,
	&ckpt_format_criu,
	&ckpt_format_adios_bp3,
	&ckpt_format_dmtcp,
	&ckpt_format_dmtcp_script,
	&ckpt_format_hf_trainer,
	&ckpt_format_folder,
	&ckpt_format_veloc,
	&ckpt_format_gromacs,
	&ckpt_format_lammps,
	&ckpt_format_kvtree,
	&ckpt_format_netcdf,
	&ckpt_format_hdf5,
	&ckpt_format_flax,
	&ckpt_format_gzip,
	&ckpt_format_zstd,
	&ckpt_format_xz,
	&ckpt_format_lz4,
	&ckpt_format_bzip2,
	&ckpt_format_torch_tar,
	&ckpt_format_tar,
	&ckpt_format_pickle_file,
	&ckpt_format_zip,
	&ckpt_format_opaque,
	&(const struct ckpt_format){ .name = NULL },
};
/* clang-format on */
