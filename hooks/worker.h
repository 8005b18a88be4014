/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker of either hook: what both do first. Runs as root under the supervisor; opens the
 * site's configuration, the kill switch and its own spool, and nothing else.
 */
#ifndef CKPT_HOOKS_WORKER_H
#define CKPT_HOOKS_WORKER_H

#include "hooks/request.h"
#include "hooks/supervise.h"

/* The worker, as ckpt_supervise() calls it; @arg is a struct ckpt_hook with `epilog` set. */
void ckpt_hook_work(struct ckpt_supervise_clock *clock, void *arg);

#endif
