#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A GraceTime of 20 s: a program that saves and leaves in it with 0, and one that stays until it is killed.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

live_grace__leaves_and_stays()
{
	local leaver stayer job node high=()
	life leaves 0
	is_on 0
	leaver=$JOB
	ON_TERM="echo asked" life stays 0
	is_on 0
	stayer=$JOB
	for node in n1 n2; do
		high+=("$(submit -p high -w "$node" -o /dev/null --wrap "sleep 1")")
	done
	wait_said asked
	equal "$(job_field "$stayer" Restarts)" 0 "restarts of the one that stays, when it is asked to go"
	cluster_until 90 job_off_node "$stayer" || fail "it was never killed"
	expect_event end 0 cause preempted
	for job in "${high[@]}"; do
		wait_state "$job" COMPLETED 60
	done
	goes_on 1 ckpt-0.pt preempted
	train_dir leaves
	JOB=$leaver
	equal "$(event end 0 cause)" preempted cause
	goes_on 1 ckpt-0.pt preempted
	scancel "$leaver" "$stayer"
}

CLUSTER_GRACE=20
live_start
train_prepare
live_case live_grace__leaves_and_stays
test_end
