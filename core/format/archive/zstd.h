/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zstandard (RFC 8878): frames of blocks that can be stepped over without decoding; a frame may
 * endn * in the low half of the XXH64 of what it holds, and may not.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZSTD_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZSTD_H

#include "core/format/archive/decode.h"
#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_zstd;

/* Frames one after the other, decoded; a checksum that a frame has is compared. */
extern const struct ckpt_codec ckpt_zstd_codec;

#endif
