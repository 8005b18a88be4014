/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The companion of a batch task: ckpt-companion, which watches the job's checkpoints as the user.
 */
#ifndef CKPT_PLUGIN_COMPANION_H
#define CKPT_PLUGIN_COMPANION_H

#include "plugin/ask.h"

/*
 * Starts it, in the batch task's process just before the script is executed, for the attempt that
 * begins with @d; nothing where the site says Companion=no. It is no child of the script and ends
 * with it. As long as one of its processes lives @held is open there (not above 0: nothing).
 * Trouble is said in one line and keeps no script from starting.
 */
void ckpt_companion_start(const struct ckpt_asking *asking, const struct ckpt_decision *d,
			  int held);

#endif
