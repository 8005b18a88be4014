/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of PyTorch's distributed checkpoint (torch.distributed.checkpoint; torchtitan's
 * step-N, Lightning's sharded .ckpt, the data of Megatron's torch_dist). The data files are written
 * first, `.metadata` is renamed into place last.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_DCP_H
#define CKPT_CORE_FORMAT_TORCH_DCP_H

#include "core/format/format.h"

/* The row "dcp". */
extern const struct ckpt_format ckpt_format_dcp;

/* Whether @check's directory holds a distributed checkpoint, finished or not. */
bool ckpt_dcp_is(const struct ckpt_check *check);

/*
 * Checks `.metadata` and the data files that it names, at @level: with CKPT_LEVEL_FULL every item
 * that is a torch zip too. As a check function; a row of a directory that holds more calls it.
 */
int ckpt_dcp_check(struct ckpt_check *check, enum ckpt_level level);

#endif
