/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a set of ranks' files is whole: each file may be valid by itself and the set is not,
 * where a rank has none, or where files of two saves stand together.
 */
#ifndef CKPT_CORE_INTEGRITY_CREW_H
#define CKPT_CORE_INTEGRITY_CREW_H

#include "core/catalog/catalog.h"

/*
 * Turns a valid @report of @set (of ranks, in the directory @dirfd) into an incomplete one: with
 * shard-missing, the first missing file and all missing ranks in words, where its names or its
 * elder tell of ranks without a file; with mixed-saves where files whose names hold no number are
 * links to such ones of different saves (Composer's latest-rank#.pt). Another verdict stays.
 */
void ckpt_crew_judge(int dirfd, const struct ckpt_set *set, struct ckpt_report *report);

#endif
