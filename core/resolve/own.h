/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run folders with work of this job, and those with nothing but what lay there before it began.
 */
#ifndef CKPT_CORE_RESOLVE_OWN_H
#define CKPT_CORE_RESOLVE_OWN_H

#include "core/resolve/select.h"

/* Whether attempt 0 noted what lay there, and there are several run folders to be told apart. */
bool ckpt_own_is_known(const struct ckpt_selection *s);

/* Whether any of the highest names of run @run's series is new or changed since then: by stat, no
 * file is read. */
bool ckpt_own_in_run(const struct ckpt_selection *s, int run);

#endif
