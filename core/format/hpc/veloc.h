/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VELOC's checkpoints by its memory-based interface: NAME-RANK-VERSION.dat of each rank, or all of
 * them one behind the other in NAME-agg-VERSION.dat. A file has a table of its regions (their
 * numbers and sizes) and the regions; the table is written last, where zeros were before. There is
 * no checksum inside: VELOC's own stand in files of their own. What ranks there are, no file says.
 * (The erasure code's files NAME-ec-VERSION... rebuild lost ones; VELOC does that itself.) Sources:
 * VELOC's client.cpp, ckpt_util.cpp, command.cpp, posix_agg_module.cpp, chksum_module.cpp.
 */
#ifndef CKPT_CORE_FORMAT_HPC_VELOC_H
#define CKPT_CORE_FORMAT_HPC_VELOC_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_veloc;

#endif
