/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tar (POSIX ustar and pax, GNU, the old one): the headers have sums, the data none. Each member
 * that is of a known format is judged as the file it is; two blocks of zeros say that the writer
 * came to its end. Members without their holes (tar -S) are not looked into. report->inner is the
 * opaque row where the bytes of a member are not what its name says, and no other member is known.
 */
#ifndef CKPT_CORE_FORMAT_ARCHIVE_TAR_H
#define CKPT_CORE_FORMAT_ARCHIVE_TAR_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_tar;

#endif
