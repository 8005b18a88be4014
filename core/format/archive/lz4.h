/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LZ4 frames: blocks that can be stepped over without decoding, with the XXH32 of each block, of
 * all,n * or neither; and the legacy frames of the first lz4 and of Linux, which have no end mark.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_LZ4_H
#define CKPT_CORE_FORMAT_ARCHIVE_LZ4_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_lz4;

#endif
