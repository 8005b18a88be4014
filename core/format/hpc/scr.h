/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datasets that SCR, the Scalable Checkpoint/Restart library, brought to the parallel file system:
 * a directory whose name is in the books of SCR's prefix, the directory above it (.scr/index.scr).
 * They tell whether the dataset is complete and which files of which ranks are in it.
 */
#ifndef CKPT_CORE_FORMAT_HPC_SCR_H
#define CKPT_CORE_FORMAT_HPC_SCR_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_scr;

#endif
