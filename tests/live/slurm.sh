#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The private cluster itself, without plugin and hooks: what the other live tests stand on.
set -eu
. "$(dirname "$0")/../lib/live.sh"

# An epilog that notes what it is told.
epilog_script()
{
	cat >"$TEST_TMP/epilog" <<-SCRIPT
	#!/bin/sh
	echo "\$SLURM_JOB_ID \$SLURM_JOB_RESTART_COUNT \$SLURM_JOB_EXIT_CODE2" >>"$TEST_TMP/epilog.log"
	exit 0
	SCRIPT
	chmod 755 "$TEST_TMP/epilog"
	: >"$TEST_TMP/epilog.log"
}

live_slurm__a_job_runs_as_its_owner()
{
	local job
	job=$(submit -o "$CLUSTER_WORK/owner.out" --wrap 'id -un; pwd')
	wait_state "$job" COMPLETED
	equal "$(cat "$CLUSTER_WORK/owner.out")" "$CLUSTER_USER"$'\n'"$CLUSTER_WORK" "the job's output"
}

live_slurm__preempted_requeued_and_back()
{
	local job
	job=$(submit -o "$CLUSTER_WORK/preempt.out" --wrap \
		'echo "start ${SLURM_RESTART_COUNT:-0}"; [ ${SLURM_RESTART_COUNT:-0} = 1 ] || sleep 300')
	wait_attempt "$job" 0
	wait_file "$CLUSTER_WORK/preempt.out"
	preempt "$job"
	wait_attempt "$job" 1
	wait_state "$job" COMPLETED
	equal "$(grep ^start "$CLUSTER_WORK/preempt.out" | tr '\n' ' ')" "start 0 start 1 " "attempts"
	file_has "$CLUSTER_WORK/preempt.out" "DUE TO PREEMPTION"
	file_has "$TEST_TMP/epilog.log" "$job 1 0:0"
}

live_slurm__job_survives_a_restart_of_slurmctld()
{
	local job
	job=$(submit -o "$CLUSTER_WORK/ctld.out" --wrap '[ ${SLURM_RESTART_COUNT:-0} = 1 ] || sleep 300')
	wait_attempt "$job" 0
	requeue "$job"
	restart_slurmctld
	wait_attempt "$job" 1
	wait_state "$job" COMPLETED
}

live_slurm__killed_slurmd_comes_back()
{
	kill_slurmd n2
	cluster_gone n2 || fail "slurmd n2 still lives"
	! cluster_all_idle || fail "a dead slurmd passes for idle"
	start_slurmd n2
}

epilog_script
CLUSTER_PLUGIN=off CLUSTER_HOOKS=off CLUSTER_EPILOG=$TEST_TMP/epilog
live_start
live_case live_slurm__a_job_runs_as_its_owner
live_case live_slurm__preempted_requeued_and_back
live_case live_slurm__job_survives_a_restart_of_slurmctld
live_case live_slurm__killed_slurmd_comes_back
test_end
