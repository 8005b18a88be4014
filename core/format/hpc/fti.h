/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FTI's checkpoints of level 4, which lie on the parallel file system: GLOBAL/ID/l4 with a file of
 * each rank (or one of all). FTI's books, META/ID/l4/sectorS-groupG.fti, are renamed into place
 * behind the data; they have each file's name, size and MD5, and FTI does not restart without them.
 * Levels 1 to 3 lie in nodes' own storage, where FTI itself finds out what can be rebuilt. FTI-FF,
 * which has its books in the data, and differential checkpoints are not read here. Sources: FTI's
 * meta.c, checkpoint.c, conf.c, recover.c, IO/mpio.c, IO/sion-fti.c, util/ini.c.
 */
#ifndef CKPT_CORE_FORMAT_HPC_FTI_H
#define CKPT_CORE_FORMAT_HPC_FTI_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_fti;

#endif
