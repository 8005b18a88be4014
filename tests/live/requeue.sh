#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of a job after an attempt, on a real cluster that gives a grace time: put back where Slurm
# would lose it, left alone where it is over, held where it leads nowhere.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

# A program that saves and leaves in its grace time, with 0 and with 3.
leaves_in_its_grace_time()
{
	life "grace_$1" "$1"
	is_on 0
	preempt "$JOB"
	wait_attempt "$JOB" 1
	wait_said "attempt 1 from ckpt-0.pt (preempted)"
	equal "$(event end 0 cause)" preempted cause
	equal "$(event end 0 finished)" null finished
	grace_is_slurms || equal "$(event requeue 0 why)" preempt why
	scancel "$JOB"
}

live_requeue__grace_with_0() { leaves_in_its_grace_time 0; }
live_requeue__grace_with_3() { leaves_in_its_grace_time 3; }

live_requeue__grace_not_in_the_list()
{
	! grace_is_slurms || skip_case "this Slurm puts it back itself"
	life grace_none 0 --ckpt-requeue=stall
	is_on 0
	preempt "$JOB"
	expect_event end 0 cause preempted
	wait_state "$JOB" COMPLETED
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

# Slurm holds what has left in its grace time too often, here the second time; not for long, while the job gets on.
live_requeue__slurms_own_hold()
{
	local attempt
	grace_is_slurms || skip_case "this Slurm does not put back what leaves in its grace time"
	life own_hold 0
	for attempt in 0 1 2; do
		is_on "$attempt"
		preempt "$JOB"
	done
	goes_on 3 ckpt-2.pt preempted
	grep -qs "job $JOB.*released: preempt" "$CLUSTER_LOG"/n*.log || fail "no epilog says that it released job $JOB"
	scancel "$JOB"
	SAVES="[[ \$attempt != 0 ]] || cp $TRAIN_POOL/ckpt-0.pt checkpoints/" life own_hold_stays 0
	for attempt in 0 1; do
		is_on "$attempt"
		preempt "$JOB"
	done
	cluster_until 60 job_is_held || fail "$(job_field "$JOB" JobState) $(job_field "$JOB" Reason)"
	nodes_idle # its epilog, which would release it, is over
	job_is_held || fail "released, though nothing came of it"
	scancel "$JOB"
}

live_requeue__exit_code_in_the_list()
{
	life exit_85 85 --ckpt-requeue=exit:84,85
	is_on 0
	leaves exit-code
	goes_on 1 ckpt-0.pt exit-code
	scancel "$JOB"
	life exit_86 86 --ckpt-requeue=exit:84,85
	is_on 0
	let_go
	wait_state "$JOB" FAILED
	expect_event end 0 cause exit-code
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

live_requeue__cancelled_is_over()
{
	life cancelled 85 --ckpt-requeue=preempt,time-limit,exit:85
	is_on 0
	scancel "$JOB"
	expect_event end 0 cause cancelled
	wait_state "$JOB" CANCELLED
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

live_requeue__requeuehold_stays_held()
{
	life requeuehold 0
	is_on 0
	as_user scontrol requeuehold "$JOB"
	expect_event end 0 cause requeued
	nodes_idle # its epilog, which would put it back, is over
	equal "$(job_field "$JOB" Reason)" job_requeued_in_held_state reason
	equal "$(job_field "$JOB" Restarts)" 1 restarts
	scancel "$JOB"
}

# At the time limit, two jobs at once: one has it in its list.
live_requeue__time_limit()
{
	local without
	life limit_off 0
	is_on 0
	without=$JOB
	life limit_on 0 --ckpt-requeue=time-limit
	is_on 0
	scontrol update "JobId=$without" EndTime=now+1
	scontrol update "JobId=$JOB" EndTime=now+1
	wait_state "$without" TIMEOUT 120
	cluster_until 120 job_on_attempt "$JOB" 1 || fail "$(job_field "$JOB" JobState)"
	wait_said "attempt 1 from ckpt-0.pt (time-limit)"
	equal "$(job_field "$without" Restarts)" 0 restarts
	scancel "$JOB"
}

# What finished is over; the one who requeues it on purpose has it run again.
live_requeue__finished()
{
	life finished 0
	is_on 0
	let_go
	wait_state "$JOB" COMPLETED
	expect_event end 0 finished 1
	as_user touch "$DIR/hold"
	requeue "$JOB"
	is_on 1
	file_has "$OUT" "attempt 0 had finished; the job was requeued since"
	scancel "$JOB"
}

# Done by its own word, and preempted before it left: Slurm starts it again, and it ends at once with 0.
live_requeue__declared_end()
{
	life declared 0
	is_on 0
	as_user "$CLUSTER_DIR/lib/ckptctl" "done" checkpoints
	preempt "$JOB"
	wait_state "$JOB" COMPLETED 60
	file_lacks "$OUT" "attempt 1 from"
}

# Three attempts that save nothing: held with the reason, and one command goes on, with a new budget.
live_requeue__held_and_released()
{
	local SAVES='[[ $attempt != 0 ]] || cp '$TRAIN_POOL'/ckpt-0.pt checkpoints/'
	life held 7 --ckpt-requeue=exit:7
	rm "$DIR/hold"
	cluster_until 150 hurried_until_held || fail "$(job_field "$JOB" JobState) $(job_field "$JOB" Reason)"
	equal "$(job_field "$JOB" Restarts)" 4 restarts
	contains "$(squeue -h -j "$JOB" -o %k)" "ckpt-resume: 3 attempts in a row ended without a new checkpoint"
	contains "$(scontrol show job "$JOB")" "AdminComment=ckpt-resume: 3 attempts in a row"
	equal "$(event end 3 cause)" exit-code cause
	equal "$(event hold 3 by)" epilog by
	as_user touch "$DIR/hold"
	as_user scontrol release "$JOB"
	is_on 4
	scancel "$JOB"
}

# Its attempts are too short to be waited for one by one.
hurried_until_held()
{
	! job_is_held || return 0
	job_hurry "$JOB"
	return 1
}

# A call whose answer came too late is made again: it finds done what it asks for, and changes nothing.
live_requeue__asked_again()
{
	life again 0
	is_on 0
	"$CLUSTER_DIR/lib/ckpt-jobinfo" requeue "$JOB"
	wait_state "$JOB" PENDING
	"$CLUSTER_DIR/lib/ckpt-jobinfo" requeue "$JOB"
	equal "$(job_field "$JOB" Restarts)" 1 restarts
	scancel "$JOB"
	wait_state "$JOB" CANCELLED
	exits 1 "$CLUSTER_DIR/lib/ckpt-jobinfo" requeue 999999
}

live_requeue__max_restarts()
{
	life most 0 --ckpt-max-restarts=1
	is_on 0
	requeue "$JOB"
	is_on 1
	requeue "$JOB"
	cluster_until 60 job_is_held || fail "$(job_field "$JOB" JobState) $(job_field "$JOB" Reason)"
	contains "$(squeue -h -j "$JOB" -o %k)" "--ckpt-max-restarts=1 used up; scontrol release goes on"
	as_user scontrol release "$JOB"
	is_on 2
	scancel "$JOB"
}

CLUSTER_GRACE=10
CLUSTER_NODES=3
! grace_is_slurms || CLUSTER_CONF=MaxBatchRequeue=2
live_start
train_prepare
for name in grace_with_0 grace_with_3 grace_not_in_the_list slurms_own_hold exit_code_in_the_list cancelled_is_over \
	requeuehold_stays_held time_limit finished declared_end held_and_released asked_again max_restarts; do
	live_case "live_requeue__$name"
done
test_end
