/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of a distributed checkpoint's data files: each item that the index names.
 */
#ifndef CKPT_CORE_FORMAT_TORCH_DCP_CONTENT_H
#define CKPT_CORE_FORMAT_TORCH_DCP_CONTENT_H

#include "core/format/format.h"
#include "core/format/torch/dcp_index.h"

/* In safetensors' files the items begin behind a header and do not count it. */
bool ckpt_dcp_has_own_header(const char *name);

/*
 * Checks all items of the sorted @index in full, as a check function. An item that is neither
 * archive nor safetensors lowers the evidence to OPAQUE; a tensor that is none
 * where most others of the save are archives is CORRUPT (FileSystemWriter stores all of them by
 * torch.save()).
 */
int ckpt_dcp_content(struct ckpt_check *check, const struct ckpt_dcp_index *index);

#endif
