/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether jobs here can be given a grace time when they are preempted: only then may a job that
 * ended with 0 have left its work unfinished, and slurmctld has to be asked. With RunInJob (24.05
 * and later) an epilog has the numbers of the attempt's start, and any end looks like that.
 */
#ifndef CKPT_HOOKS_GRACE_H
#define CKPT_HOOKS_GRACE_H

#include <stdbool.h>

/*
 * Looks for it in the slurm.conf at @path (root's, as slurmd names it; NULL: not known). False only
 * where the file rules it out: no RunInJob, and no preemption, or preemption by partition and no
 * GraceTime in any. QOS have theirs in the database, and included files are not followed: then it
 * is possible. That RunInJob's epilogs are given the credential of the launch and the exit code 0
 * is slurmstepd/mgr.c's doing, of 24.05 to 26.05.
 */
bool ckpt_grace_is_possible(const char *path);

#endif
