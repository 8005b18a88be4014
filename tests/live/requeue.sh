#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What becomes of a job after an attempt, on a real cluster that gives a grace time: put back where Slurm
# would lose it, left alone where it is over, held where it leads nowhere.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

LEDGER=.ckpt-resume/ledger.jsonl

# life NAME CODE SBATCH-ARGUMENTS...: a job whose attempt N saves ckpt-N (or SAVES="" none), and leaves with
# CODE when its program gets SIGTERM, or once `hold` is gone. Sets JOB.
life()
{
	local name=$1 code=$2
	shift 2
	train_dir "$name"
	as_user tee "$DIR/job.sh" >/dev/null <<-SCRIPT
	#!/bin/bash
	attempt=\${SLURM_RESTART_COUNT:-0}
	echo "attempt \$attempt from \${CKPT_RESUME_PATH##*/} (\$CKPT_RESUME_REASON)"
	mkdir -p checkpoints
	${SAVES-cp $TRAIN_POOL/ckpt-\$attempt.pt checkpoints/}
	srun -u bash -c 'trap "exit $code" TERM; echo on; while [[ -e hold ]]; do sleep 0.1; done; exit $code'
	SCRIPT
	JOB=$(submit -o out -p low --ckpt-resume --ckpt-dir=checkpoints "$@" "$DIR/job.sh")
}

# is_on ATTEMPT: its program runs.
is_on()
{
	wait_attempt "$JOB" "$1"
	wait_said "attempt $1 from"
	cluster_until 20 program_is_on $(($1 + 1))
}

program_is_on() { [[ $(grep -cx on "$OUT") -ge $1 ]]; }

# event NAME ATTEMPT KEY: of the ledger.
event()
{
	jq -r "select(.event == \"$1\" and .attempt == $2) | .$3" "$RUN/$LEDGER" 2>/dev/null | tail -n 1
}

event_is() { [[ $(event "$1" "$2" "$3") == "$4" ]]; }

expect_event()
{
	cluster_until 15 event_is "$@" || fail "$1 of attempt $2: $3 is '$(event "$1" "$2" "$3")', expected '$4'"
}

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
	equal "$(event requeue 0 why)" preempt why
	scancel "$JOB"
}

live_requeue__grace_with_0() { leaves_in_its_grace_time 0; }
live_requeue__grace_with_3() { leaves_in_its_grace_time 3; }

live_requeue__grace_not_in_the_list()
{
	life grace_none 0 --ckpt-requeue=stall
	is_on 0
	preempt "$JOB"
	expect_event end 0 cause preempted
	wait_state "$JOB" COMPLETED
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

live_requeue__exit_code_in_the_list()
{
	life exit_85 85 --ckpt-requeue=exit:84,85
	is_on 0
	let_go
	wait_attempt "$JOB" 1
	wait_said "attempt 1 from ckpt-0.pt (exit-code)"
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
	sleep 1
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
	wait_state "$without" TIMEOUT 60
	cluster_until 60 job_on_attempt "$JOB" 1 || fail "$(job_field "$JOB" JobState)"
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
	CLUSTER_GRACE=0 preempt "$JOB"
	wait_state "$JOB" COMPLETED 60
	file_lacks "$OUT" "attempt 1 from"
}

# Three attempts that save nothing: held with the reason, and one command goes on, with a new budget.
live_requeue__held_and_released()
{
	local SAVES='[[ $attempt != 0 ]] || cp '$TRAIN_POOL'/ckpt-0.pt checkpoints/'
	life held 7 --ckpt-requeue=exit:7
	rm "$DIR/hold"
	cluster_until 60 hurried_until_held || fail "$(job_field "$JOB" JobState) $(job_field "$JOB" Reason)"
	equal "$(job_field "$JOB" Restarts)" 4 restarts
	contains "$(squeue -h -j "$JOB" -o %k)" "ckpt-resume: 3 attempts in a row failed without a new checkpoint"
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

job_is_held() { [[ $(job_field "$JOB" Priority) == 0 ]] && job_in_state "$JOB" PENDING; }

live_requeue__max_restarts()
{
	life most 0 --ckpt-max-restarts=1
	is_on 0
	requeue "$JOB"
	is_on 1
	requeue "$JOB"
	cluster_until 20 job_is_held || fail "$(job_field "$JOB" JobState) $(job_field "$JOB" Reason)"
	contains "$(squeue -h -j "$JOB" -o %k)" "--ckpt-max-restarts=1 used up; scontrol release goes on"
	as_user scontrol release "$JOB"
	is_on 2
	scancel "$JOB"
}

CLUSTER_GRACE=10
CLUSTER_NODES=3
live_start
train_prepare
for name in grace_with_0 grace_with_3 grace_not_in_the_list exit_code_in_the_list cancelled_is_over \
	requeuehold_stays_held time_limit finished declared_end held_and_released max_restarts; do
	live_case "live_requeue__$name"
done
test_end
