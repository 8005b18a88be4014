/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zip of no other row, as Stable-Baselines3 writes its models: what its members are is not looked
 * at, but all of them have checksums.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_ZIP_PLAIN_H
#define CKPT_CORE_FORMAT_ARCHIVE_ZIP_PLAIN_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_zip;

#endif
