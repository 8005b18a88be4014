#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The way of a job, plugin and hooks in place: what ends an attempt, and what the next one is told.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

live_resume__preempted()
{
	train_dir preempted
	job=$(train 2 --ckpt-resume --ckpt-epoch=completed)
	waits_at 0 "$job"
	expect 0 RESUME_MODE=fresh RESUME_PATH= ATTEMPT=0 "JOB=$job" RESUME_REASON=first-start START_EPOCH=0 "DIR=$RUN"
	preempt "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-2.pt" "RESUME_ROOT=$RUN" RESUME_TAG=ckpt-2.pt ATTEMPT=1 \
		"JOB=$job" RESUME_REASON=preempted START_EPOCH=3 RESUME_EPOCH=2 RESUME_STEP=30
	# by its own checksums, or by the companion's seal where that came first
	contains "checksum seal-unchanged" "$(told 1 CKPT_RESUME_EVIDENCE)"
	[[ -n $(told 1 CKPT_RESUME_EVIDENCE) ]] || fail "no evidence is named"
	wait_file "$(told 1 CKPT_DECISION)" 1
	file_has "$OUT" "ckpt-resume: attempt 1 (preempted): resuming from"
	equal "$(grep -c '^ckpt-resume: attempt' "$OUT")" 2 "lines with a decision"
	ends_well "$job"
}

live_resume__requeued_by_hand()
{
	train_dir requeued
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" RESUME_REASON=requeued
	ends_well "$job"
}

live_resume__damaged_newest_is_passed_over()
{
	train_dir damaged
	job=$(train 4 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	damage 4
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-3.pt" RESUME_STEP=40
	file_has "$OUT" "ckpt-4"
	grep '^ckpt-resume:' "$OUT" | grep -q 'rejected.*ckpt-4' || fail "the rejected file is not named"
	file_has "$OUT" "attempt 1 wrote ckpt-4.pt"
	ends_well "$job"
}

live_resume__slurmctld_restarted_between_attempts()
{
	train_dir ctld
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	restart_slurmctld
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" ATTEMPT=1
	ends_well "$job"
}

live_resume__node_lost()
{
	local node
	train_dir lost
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	node=$(job_field "$job" BatchHost)
	kill_slurmd "$node"
	cluster_kill_steps "$job"
	scontrol update "NodeName=$node" State=DOWN Reason=test
	waits_at 1 "$job"
	[[ $(job_field "$job" BatchHost) != "$node" ]] || fail "the dead node ran it again"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" ATTEMPT=1 RESUME_REASON=node-fail
	start_slurmd "$node"
	scontrol update "NodeName=$node" State=RESUME 2>/dev/null || true # it may be back already
	# The node that was lost ends the attempt that it had, while the job runs on the other: it may say nothing of it.
	cluster_until 60 cluster_node_is "$node" idle || fail "$node is not idle again"
	equal "$(ends_of 0)" "" "the end of attempt 0, told by the lost node"
	equal "$(job_field "$job" JobState)" RUNNING "the job on the other node"
	ends_well "$job"
	cluster_until 60 has_end 1 || fail "the end of attempt 1 is not recorded"
}

ends_of() { jq -r "select(.event == \"end\" and .attempt == $1) | .cause" "$RUN/.ckpt-resume/ledger.jsonl"; }
has_end() { [[ -n $(ends_of "$1") ]]; }

live_resume__slurmd_killed_and_back()
{
	local began
	train_dir killed
	job=$(train 1 --ckpt-resume -w n1)
	waits_at 0 "$job"
	began=$(starts_of n1)
	kill_slurmd n1
	start_slurmd n1
	cluster_until 60 has_started n1 $((began + 1)) || fail "slurmd is not back"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

starts_of() { grep -c 'slurmd started on' "$CLUSTER_LOG/$1.log"; }
has_started() { (($(starts_of "$1") >= $2)); }

live_resume__export_none()
{
	owner_logs_in || skip_case "$CLUSTER_USER has no shell to log in with"
	train_dir export
	job=$(train 1 --ckpt-resume --export=NONE)
	waits_at 0 "$job"
	expect 0 RESUME_MODE=fresh
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

live_resume__two_at_once()
{
	local first second
	train_dir one
	first=$(train 1 --ckpt-resume -w n1)
	train_dir two
	second=$(train 3 --ckpt-resume -w n2)
	waits_at 0 "$second"
	wait_attempt "$first" 0
	requeue "$first"
	requeue "$second"
	waits_at 1 "$second"
	expect 1 "RESUME_PATH=$CLUSTER_WORK/two/checkpoints/ckpt-3.pt" "JOB=$second"
	ends_well "$second"
	train_dir one
	waits_at 1 "$first"
	expect 1 "RESUME_PATH=$CLUSTER_WORK/one/checkpoints/ckpt-1.pt" "JOB=$first"
	ends_well "$first"
}

live_resume__without_the_option()
{
	train_dir without
	job=$(train 1)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	ends_well "$job"
	file_lacks "$OUT" "ckpt-resume"
	file_lacks "$OUT" "env "
	[[ ! -e $RUN/.ckpt-resume ]] || fail "something was written for a job without the option"
}

live_resume__array()
{
	local task
	train_dir array
	job=$(submit -o 'out-%a' -p low --array=1-2 --ckpt-resume '--ckpt-dir=runs/%A_%a' \
		"$TRAIN_POOL/train.sh" "$TRAIN_POOL" 1)
	for task in 1 2; do
		OUT=$DIR/out-$task
		waits_at 0 "${job}_$task"
		expect 0 "DIR=$DIR/runs/${job}_$task"
		requeue "${job}_$task"
		waits_at 1 "${job}_$task"
		expect 1 RESUME_MODE=resume "RESUME_PATH=$DIR/runs/${job}_$task/ckpt-1.pt"
	done
	let_go
	wait_state "${job}_1" COMPLETED
	wait_state "${job}_2" COMPLETED
}

live_resume__array_in_one_directory()
{
	train_dir array_one
	job=$(submit -o out -p low --array=1 --ckpt-resume --ckpt-dir=run "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 1)
	wait_state "${job}_1" FAILED
	equal "$(job_field "${job}_1" ExitCode)" 64:0 "exit code"
	file_has "$OUT" "%a"
	file_lacks "$OUT" "attempt 0 starts"
}

live_start
train_prepare
for name in preempted requeued_by_hand damaged_newest_is_passed_over slurmctld_restarted_between_attempts node_lost \
	slurmd_killed_and_back export_none two_at_once without_the_option array array_in_one_directory; do
	live_case "live_resume__$name"
done
test_end
