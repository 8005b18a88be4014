/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NaN and Inf in the tensors of a PyTorch zip. The pickle says what type each storage has, and
 * which parts of it tensors are: what else it holds is never read back (torch_views.h). A storage
 * that is used in another way is looked through as a whole.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_FINITE_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_FINITE_H

#include "core/format/format.h"

/* Strings that optimizers repeat for every parameter: the pickle's scan remembers words alone, and
 * paths that it tells are whole where these are among them. */
#define CKPT_TORCH_WORDS 16
extern const char *const ckpt_torch_words[CKPT_TORCH_WORDS];

/* The finite() of the row "torch-zip". Untyped storages (8-bit floats, unsigned numbers) and
 * TorchScript are skipped, and said. */
int ckpt_torch_zip_finite(struct ckpt_check *check);

#endif
