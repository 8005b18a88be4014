#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A job that takes more memory than it was given, where Slurm can have the kernel end it.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

if ((EUID != 0)) || ! mkdir "/sys/fs/cgroup/memory/ckpt-test.$$" 2>/dev/null; then
	echo "skip live_oom: no memory control groups of version 1 that are ours"
	exit 0
fi
rmdir "/sys/fs/cgroup/memory/ckpt-test.$$"

# eats ARGUMENTS...: saves, and then takes 400 MB of the 60 that it may.
eats()
{
	SAVES="cp $TRAIN_POOL/ckpt-\$attempt.pt checkpoints/; [[ \$attempt == 0 ]] || { echo on; while [[ -e hold ]]; do sleep 0.1; done; exit 0; }
	${EATER:-exec} $PYTHON -c 'x = b\"x\" * 400000000'" life "$1" 0 --mem=60 "${@:2}"
}

# The script itself.
live_oom__the_script()
{
	eats script
	wait_state "$JOB" OUT_OF_MEMORY
	expect_event end 0 cause oom
	equal "$(job_field "$JOB" Restarts)" 0 restarts
	requeue "$JOB"
	goes_on 1 ckpt-0.pt exit-code
	scancel "$JOB"
}

# A program under srun; the script goes on to its own end, with the program's code.
live_oom__a_step()
{
	EATER="exec srun" eats step
	wait_state "$JOB" OUT_OF_MEMORY
	expect_event end 0 cause oom
}

CLUSTER_CGROUP="ConstrainRAMSpace=yes
ConstrainSwapSpace=yes"
CLUSTER_PROCTRACK=cgroup CLUSTER_NODE=RealMemory=1000
CLUSTER_CONF="TaskPlugin=task/cgroup
SelectTypeParameters=CR_CPU_Memory"
live_start
train_prepare
for name in the_script a_step; do
	live_case "live_oom__$name"
done
test_end
