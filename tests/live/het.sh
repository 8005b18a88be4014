#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Heterogeneous jobs: every component has a job id, a prolog and an epilog of its own, and one alone the script.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

# het NAME ARGUMENTS...: a training of two components.
het()
{
	train_dir "$1"
	JOB=$(submit -o out -p low --ckpt-resume "${@:2}" : -p low "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 1)
	waits_at 0 "$JOB"
}

# events_of_others: lines of the ledger that are not the leader's.
events_of_others() { jq -c "select(.job_id != $JOB)" "$RUN/$LEDGER"; }

# The directory is named, so that the prolog decides.
live_het__requeued()
{
	het requeued --ckpt-dir=checkpoints
	! no_spools || fail "no spool while it runs"
	expect 0 RESUME_MODE=fresh "JOB=$JOB" ATTEMPT=0
	requeue "$JOB"
	waits_at 1 "$JOB"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" "JOB=$JOB" ATTEMPT=1 RESUME_REASON=requeued
	equal "$(events_of_others)" "" "what other components wrote"
	ends_well "$JOB"
	expect_event end 1 cause finished
	equal "$(event end 0 cause)" requeued cause
	equal "$(events_of_others)" "" "what other components wrote"
	file_lacks "$OUT" "was not seen to end"
	# that of the other component goes with its own epilog, which may come later
	cluster_until 60 no_spools || fail "spools left: $(spools)"
}

spools() { find "$CLUSTER_DIR/spool" -mindepth 3 -maxdepth 3; }
no_spools() { [[ -z $(spools) ]]; }

live_het__preempted()
{
	het preempted
	preempt "$JOB"
	waits_at 1 "$JOB"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" RESUME_REASON=preempted
	equal "$(events_of_others)" "" "what other components wrote"
	scancel "$JOB"
}

# Its other component's node goes: the leader's epilog tells.
live_het__other_node_lost()
{
	local node
	het lost
	node=$(job_field "$((JOB + 1))" NodeList)
	kill_slurmd "$node"
	cluster_kill_steps "$((JOB + 1))" "$node"
	scontrol update "NodeName=$node" State=DOWN Reason=test
	wait_state "$JOB" PENDING
	start_slurmd "$node"
	scontrol update "NodeName=$node" State=RESUME 2>/dev/null || true # it may be back already
	waits_at 1 "$JOB"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" RESUME_REASON=node-fail
	scancel "$JOB"
}

CLUSTER_NODES=3
live_start
train_prepare
for name in requeued preempted other_node_lost; do
	live_case "live_het__$name"
done
test_end
