/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What torch.save() has written since PyTorch 1.6: a zip of a pickle and one record a storage. An
 * exception inside torch.save() still closes the zip properly, so the pickle and the records are
 * compared. TorchScript archives and packages are told apart: weights, not a training state.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_ZIP_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_ZIP_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_torch_zip;

/* Whether the file is such an archive, or was one. */
bool ckpt_torch_zip_sniff(const struct ckpt_check *check);

#endif
