# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Jobs for live tests whose program runs under srun and leaves when it is told to; and what the ledger says of
# their attempts. Beside train.sh.

LEDGER=.ckpt-resume/ledger.jsonl

# life NAME CODE SBATCH-ARGUMENTS...: a job whose attempt N saves ckpt-N (or does what SAVES= says), and leaves
# with CODE when its program gets SIGTERM (or does what ON_TERM= says), or once `hold` is gone. Sets JOB.
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
	srun -u bash -c 'trap "${ON_TERM-exit $code}" TERM; echo on; while [[ -e hold ]]; do sleep 0.1; done; exit $code'
	SCRIPT
	JOB=$(submit -o out -p low --ckpt-resume --ckpt-dir=checkpoints "$@" "$DIR/job.sh")
}

# is_on ATTEMPT: its program runs.
is_on()
{
	wait_attempt "$JOB" "$1"
	wait_said "attempt $1 from"
	cluster_until 60 program_is_on $(($1 + 1))
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
	cluster_until 60 event_is "$@" || fail "$1 of attempt $2: $3 is '$(event "$1" "$2" "$3")', expected '$4'"
}

# goes_on ATTEMPT CHECKPOINT REASON: that attempt starts from there, for that reason.
goes_on()
{
	wait_attempt "$JOB" "$1" 90
	wait_said "attempt $1 from $2 ($3)"
}

# leaves CAUSE: attempt 0 leaves by itself, and is told so; the next one finds its `hold`.
leaves()
{
	let_go
	expect_event end 0 cause "$1"
	as_user touch "$DIR/hold"
}

# grace_is_slurms: since 24.05 Slurm itself puts back what leaves in its grace time, whatever the job's list says.
grace_is_slurms() { slurm_since 2405; }

# job_is_held: waits, and nobody starts it. scontrol has a state of its own for what slurmctld put back and held.
job_is_held() { [[ $(job_field "$JOB" Priority) == 0 ]] && job_in_state "$JOB" 'PENDING REQUEUE_HOLD'; }
