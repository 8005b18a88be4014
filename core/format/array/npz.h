/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What np.savez() and np.savez_compressed() write: a zip of .npy files. Chainer's snapshots and
 * many JAX programs save so.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_NPZ_H
#define CKPT_CORE_FORMAT_ARRAY_NPZ_H

#include "core/format/format.h"

/* npy_finite.c: the look for NaN and Inf. */
int ckpt_npz_finite(struct ckpt_check *check);

extern const struct ckpt_format ckpt_format_npz;

#endif
