/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of processes that outlive the one that started them. Their first ancestor that is a
 * subreaper inherits them as children.
 */
#ifndef CKPT_HOOKS_STRAYS_H
#define CKPT_HOOKS_STRAYS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Kills and reaps all children of this process, and theirs as they become children, until
 * @deadline_ns (CLOCK_MONOTONIC). True when none is left.
 */
bool ckpt_strays_kill(int64_t deadline_ns);

#endif
