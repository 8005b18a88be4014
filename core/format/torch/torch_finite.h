/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in the storages of a PyTorch zip. The pickle says what type each storage has; a
 * storage is looked through as a whole, also where its tensors are views of a part.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_FINITE_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_FINITE_H

#include "core/format/format.h"

/* The finite() of the row "torch-zip". Untyped storages (8-bit floats, unsigned numbers) and
 * TorchScript are skipped, and said. */
int ckpt_torch_zip_finite(struct ckpt_check *check);

#endif
