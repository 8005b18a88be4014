/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases that a test puts where it wants them, whoever has them.
 */
#ifndef CKPT_TESTS_SUPPORT_LEASES_H
#define CKPT_TESTS_SUPPORT_LEASES_H

#include <unistd.h>

#include "core/record/lease.h"

/* Makes @lease the one in @statefd, as a new file, in place of whatever lies there. 0 or an errno.
 */
static inline int leases_put(int statefd, struct ckpt_lease *lease)
{
	unlinkat(statefd, CKPT_LEASE, 0);
	return ckpt_lease_take(statefd, CKPT_STATE_ABSENT, NULL, lease);
}

#endif
