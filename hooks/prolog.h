/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The prolog, after what both hooks do first.
 */
#ifndef CKPT_HOOKS_PROLOG_H
#define CKPT_HOOKS_PROLOG_H

#include "hooks/request.h"

/* Spool begun anew; where it is due, the agent's decision put into it. */
void ckpt_hook_prolog(const struct ckpt_hook *hook);

#endif
