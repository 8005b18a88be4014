#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nodes that die under a job, with everything on them: what the next attempt is told, and what no attempt may be.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

# lose NODE: its slurmd, the job's steps and programs are gone, and nobody tells slurmctld.
lose()
{
	kill_slurmd "$1"
	cluster_kill_steps "$JOB" "$1"
}

# lose_and_tell NODE: and the site's operator does.
lose_and_tell()
{
	lose "$1"
	scontrol update "NodeName=$1" State=DOWN Reason=test
}

back()
{
	start_slurmd "$1"
	scontrol update "NodeName=$1" State=RESUME 2>/dev/null || true # it may be back already
}

# Slurm finds it out by itself, twice; the second time the prolog had decided.
live_nodes__lost_twice()
{
	local node
	life lost 0
	is_on 0
	node=$(job_field "$JOB" BatchHost)
	lose "$node"
	wait_attempt "$JOB" 1 120
	goes_on 1 ckpt-0.pt node-fail
	[[ $(job_field "$JOB" BatchHost) != "$node" ]] || fail "the dead node ran it again"
	is_on 1
	back "$node"
	node=$(job_field "$JOB" BatchHost)
	lose_and_tell "$node"
	goes_on 2 ckpt-1.pt node-fail
	equal "$(event end 0 cause)$(event end 1 cause)" "" "ends told by lost nodes"
	scancel "$JOB"
	expect_event end 2 cause cancelled
	back "$node"
}

# One of two nodes goes, not the script's: its epilog tells.
live_nodes__other_node_lost()
{
	local node
	life other 0 -N 2
	is_on 0
	node=$(other_node)
	lose_and_tell "$node"
	expect_event end 0 cause node-fail
	back "$node"
	goes_on 1 ckpt-0.pt node-fail
	scancel "$JOB"
}

other_node() { scontrol show hostnames "$(job_field "$JOB" NodeList)" | grep -vx "$(job_field "$JOB" BatchHost)"; }

# The script's node goes; the epilog of the other one knows nothing and says nothing.
live_nodes__batch_host_lost()
{
	local node
	life batch 0 -N 2
	is_on 0
	node=$(job_field "$JOB" BatchHost)
	lose_and_tell "$node"
	wait_state "$JOB" PENDING
	back "$node" # two of three nodes must be idle
	goes_on 1 ckpt-0.pt node-fail
	equal "$(event end 0 cause)" "" "the end of attempt 0"
	scancel "$JOB"
}

# slurmd lives, the script's slurmstepd does not.
live_nodes__slurmstepd_lost()
{
	local node
	life stepd 0
	is_on 0
	node=$(job_field "$JOB" BatchHost)
	cluster_kill_steps "$JOB" "$node"
	restart_slurmd "$node" # slurmctld asks at a registration what runs there
	goes_on 1 ckpt-0.pt "${STEPD_REASON:-node-fail}"
	scancel "$JOB"
}

# What is done is not run again, whatever became of its node; what may not be requeued is over.
live_nodes__done_is_not_rerun()
{
	local over node
	life never 0 --no-requeue
	is_on 0
	over=$JOB
	life declared 0
	is_on 0
	as_user "$CLUSTER_DIR/lib/ckptctl" "done" checkpoints
	node=$(job_field "$JOB" BatchHost)
	lose_and_tell "$node"
	wait_state "$JOB" PENDING
	cluster_until 90 hurried_to_its_end || fail "$(job_field "$JOB" JobState)"
	equal "$(job_field "$JOB" JobState)" COMPLETED state
	equal "$(job_field "$JOB" Restarts)" 1 restarts
	file_lacks "$OUT" "attempt 1 from"
	back "$node"
	JOB=$over
	node=$(job_field "$JOB" BatchHost)
	lose_and_tell "$node"
	wait_state "$JOB" NODE_FAIL
	back "$node"
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

hurried_to_its_end()
{
	! job_in_state "$JOB" 'COMPLETED FAILED' || return 0
	job_hurry "$JOB"
	return 1
}

CLUSTER_NODES=3
CLUSTER_CONF="SlurmdTimeout=10
BatchStartTimeout=5"
live_start
train_prepare
for name in lost_twice other_node_lost batch_host_lost slurmstepd_lost done_is_not_rerun; do
	live_case "live_nodes__$name"
done
test_end
