/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The epilog, after what both hooks do first.
 */
#ifndef CKPT_HOOKS_EPILOG_H
#define CKPT_HOOKS_EPILOG_H

#include "hooks/request.h"

/* The cause of the end; where the run directory is this attempt's alone, the agent's record of it.
 */
void ckpt_hook_epilog(const struct ckpt_hook *hook);

#endif
