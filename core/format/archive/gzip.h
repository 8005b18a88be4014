/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gzip (RFC 1952): one or more members, each with the CRC-32 and the length of what it holds.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_GZIP_H
#define CKPT_CORE_FORMAT_ARCHIVE_GZIP_H

#include "core/format/archive/decode.h"
#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_gzip;

/* Members one after the other, decoded; CRC-32 and length of each are compared. */
extern const struct ckpt_codec ckpt_gzip_codec;

#endif
