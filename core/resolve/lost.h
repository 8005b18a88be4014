/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a later attempt misses: a directory of the run that has lost its mark has lost a mount, not
 * its work; and what is not there any more is said.
 */
#ifndef CKPT_CORE_RESOLVE_LOST_H
#define CKPT_CORE_RESOLVE_LOST_H

#include "core/resolve/resolve.h"

/*
 * For a later attempt that would begin fresh: the directory that may hold this run's work and is
 * not there now. One that held the last valid checkpoint recorded and has no mark any more; or,
 * where the end of the attempt before is not known, any without its mark. NULL: nothing is lost.
 * (One that the user cannot write to never had a mark.)
 */
const char *ckpt_lost_directory(const struct ckpt_resolution *res);

/* Says in the warning of a later attempt what it misses, and who else marked its directory. */
void ckpt_lost_say(struct ckpt_resolution *res);

#endif
