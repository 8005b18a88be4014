/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What torch.save() wrote before PyTorch 1.6, and still does on demand: five pickles, then each
 * storage as its number of elements and its bytes. No checksum exists.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_LEGACY_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_LEGACY_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_torch_legacy;

#endif
