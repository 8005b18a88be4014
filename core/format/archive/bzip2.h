/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bzip2: one or more streams, each with a CRC-32 a block and one over all blocks.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_BZIP2_H
#define CKPT_CORE_FORMAT_ARCHIVE_BZIP2_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_bzip2;

#endif
