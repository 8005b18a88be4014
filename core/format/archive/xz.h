/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xz: one or more streams of blocks, each with the check that its stream names (CRC-32, CRC-64,n *
 * SHA-256 or none), and an index at the end that can be read without decoding.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_XZ_H
#define CKPT_CORE_FORMAT_ARCHIVE_XZ_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_xz;

#endif
