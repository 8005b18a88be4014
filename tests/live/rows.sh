#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ends of an attempt that Slurm shows in ways of their own: its site's RequeueExit, a job that may not be requeued,
# a requeue in the middle of an epilog, a prolog that fails, a job that slurmctld has forgotten.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

# Prolog and epilog: the hook, and what a test makes happen to it.
write_hooks()
{
	cat >"$TEST_TMP/hook" <<-'SCRIPT'
	#!/bin/bash
	dir=${0%/*}
	while [[ $SLURM_SCRIPT_CONTEXT == epilog_slurmd && -e $dir/epilog-waits ]]; do /usr/bin/sleep 0.1; done
	"$dir/lib/ckpt-hook" || exit 1
	[[ $SLURM_SCRIPT_CONTEXT != epilog_slurmd || ${SLURM_JOB_RESTART_COUNT:-} ]] || echo "ckpt-hook ran: bare"
	[[ $SLURM_SCRIPT_CONTEXT != prolog_slurmd ]] || ! /usr/bin/grep -qsx "$SLURM_JOB_ID" "$dir/prolog-fails"
	SCRIPT
	chmod 755 "$TEST_TMP/hook"
}

live_rows__requeue_exit()
{
	life requeue_exit 77
	is_on 0
	leaves exit-code
	goes_on 1 ckpt-0.pt exit-code
	equal "$(event requeue 0 why)" "" "a requeue of ours"
	scancel "$JOB"
}

live_rows__requeue_exit_hold()
{
	life requeue_exit_hold 78
	is_on 0
	leaves exit-code
	cluster_until 60 job_is_put_aside || fail "$(job_field "$JOB" JobState)"
	as_user scontrol release "$JOB"
	goes_on 1 ckpt-0.pt exit-code
	scancel "$JOB"
}

job_is_put_aside() { job_in_state "$JOB" 'SPECIAL_EXIT' || job_is_held; }

live_rows__killed()
{
	SAVES="cp $TRAIN_POOL/ckpt-0.pt checkpoints/; kill -KILL \$\$" life killed 0
	wait_state "$JOB" FAILED
	expect_event end 0 cause signal
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

# What may not be requeued is over, whoever ends it, and nothing is said of a requeue.
live_rows__preempted_for_good()
{
	local seconds=$1
	scontrol update PartitionName=low GraceTime="$seconds"
	life "for_good_$seconds" 0 --no-requeue
	is_on 0
	preempt "$JOB"
	scontrol update PartitionName=low GraceTime=20
	expect_event end 0 cause preempted
	wait_done "$JOB"
	equal "$(job_field "$JOB" Restarts)" 0 restarts
	equal "$(event requeue 0 why)" "" "a requeue of ours"
}

live_rows__preempted_without_requeue() { live_rows__preempted_for_good 0; }
live_rows__left_without_requeue() { live_rows__preempted_for_good 20; }

live_rows__requeuehold_and_release()
{
	life requeuehold 0
	is_on 0
	as_user scontrol requeuehold "$JOB"
	expect_event end 0 cause requeued
	cluster_until 60 job_is_held || fail "$(job_field "$JOB" JobState)"
	as_user scontrol release "$JOB"
	goes_on 1 ckpt-0.pt requeued
	scancel "$JOB"
}

live_rows__requeued_while_its_epilog_runs()
{
	touch "$TEST_TMP/epilog-waits"
	life completing 3
	is_on 0
	let_go
	wait_state "$JOB" 'COMPLETING FAILED'
	requeue "$JOB"
	as_user touch "$DIR/hold"
	rm "$TEST_TMP/epilog-waits"
	expect_event end 0 cause exit-code
	goes_on 1 ckpt-0.pt exit-code
	scancel "$JOB"
}

# The prolog of attempt 1 fails: Slurm drains the node and holds the job; attempt 2 knows of no lost node.
live_rows__launch_failure()
{
	local node
	life launch 0
	is_on 0
	echo "$JOB" >"$TEST_TMP/prolog-fails"
	requeue "$JOB"
	cluster_until 60 job_failed_to_start || fail "$(job_field "$JOB" JobState) at $(job_field "$JOB" Restarts)"
	rm "$TEST_TMP/prolog-fails"
	for node in n1 n2; do
		! cluster_node_is "$node" 'drained draining' || scontrol update "NodeName=$node" State=RESUME
	done
	as_user scontrol release "$JOB"
	goes_on 2 ckpt-0.pt requeued
	scancel "$JOB"
}

job_failed_to_start()
{
	[[ $(job_field "$JOB" Restarts) != 2 ]] || ! job_is_held || return 0
	job_hurry "$JOB"
	return 1
}

# slurmctld has lost its memory: the job is ended, its epilog told nothing, and does nothing.
live_rows__forgotten_by_slurmctld()
{
	local node before
	life forgotten 0
	is_on 0
	node=$(job_field "$JOB" BatchHost)
	before=$(bare_epilogs "$node")
	cluster_kill slurmctld TERM
	rm -rf "$CLUSTER_DIR"/state/*
	start_slurmctld
	cluster_until 60 has_bare_epilogs "$node" $((before + 1)) || fail "no epilog"
	nodes_idle 40
	equal "$(event decision 0 mode)" fresh "the ledger"
	equal "$(event end 0 cause)" "" "the end of attempt 0"
	[[ -e $RUN/ckpt-0.pt ]] || fail "the checkpoint is gone"
}

# Those that were told nothing, on that node, so far.
bare_epilogs() { grep -c 'ckpt-hook ran.*bare' "$CLUSTER_LOG/$1.log" || true; }
has_bare_epilogs() { (($(bare_epilogs "$1") >= $2)); }

write_hooks
CLUSTER_PROLOG=$TEST_TMP/hook CLUSTER_EPILOG=$TEST_TMP/hook
CLUSTER_GRACE=20
CLUSTER_CONF="RequeueExit=77
RequeueExitHold=78"
live_start
ln -s "$CLUSTER_DIR/lib" "$TEST_TMP/lib"
train_prepare
for name in requeue_exit requeue_exit_hold killed preempted_without_requeue left_without_requeue \
	requeuehold_and_release requeued_while_its_epilog_runs launch_failure forgotten_by_slurmctld; do
	live_case "live_rows__$name"
done
test_end
