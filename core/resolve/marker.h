/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program's own end marker: a file of the run configuration's training.end_marker, absolute or
 * below the run directory, that the program leaves when all is done. Private to core/resolve.
 */
#ifndef CKPT_CORE_RESOLVE_MARKER_H
#define CKPT_CORE_RESOLVE_MARKER_H

#include "core/resolve/choose.h"

#define CKPT_MARKER_ABSENT 1

/* What the marker is: 0 with *@ret; ABSENT, also where none is named; or an errno: could not find
 * out. */
int ckpt_marker_look(const struct ckpt_resolution *res, struct ckpt_identity *ret);

/*
 * Mode done for a later attempt where the marker is there and was not when the run began (a
 * directory: whatever was written into it since). 0 to go
 * on, also where somebody has requeued the finished job (said); CKPT_STEP_DONE where the decision
 * is made: a refusal, where it could not be found out.
 */
int ckpt_step_marked(struct ckpt_resolving *r);

#endif
