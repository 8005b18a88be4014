/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What torch.save() wrote before its first release with a magic number: a tar of "pickle",
 * "storages", "sys_info" and mostly "tensors", which torch.load() still reads.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_TORCH_TAR_H
#define CKPT_CORE_FORMAT_TORCH_TORCH_TAR_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_torch_tar;

#endif
