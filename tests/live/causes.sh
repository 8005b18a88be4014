#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Why attempts ended, as the epilog tells it on a real cluster; and what a site may have it do then.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

# The cause that the ledger has for an attempt.
cause_of()
{
	jq -r "select(.event == \"end\" and .attempt == $1) | .cause" "$RUN/.ckpt-resume/ledger.jsonl" 2>/dev/null
}

cause_is() { [[ $(cause_of "$1") == "$2" ]]; }

# expect_cause ATTEMPT WORD
expect_cause()
{
	cluster_until 60 cause_is "$1" "$2" || fail "attempt $1 ended by '$(cause_of "$1")', expected '$2'"
}

# attempt_ended_by WORD COMMAND...: a training, ended by that command with the job's id behind it.
attempt_ended_by()
{
	local word=$1 job
	shift
	train_dir "ended_$word${CAUSE_OPTIONS:+_named}"
	job=$(train 1 --ckpt-resume ${CAUSE_OPTIONS:-})
	waits_at 0 "$job"
	"$@" "$job"
	expect_cause 0 "$word"
	let_go
	scancel "$job" 2>/dev/null || true
}

live_causes__preempted()
{
	train_dir preempted
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	preempt "$job"
	expect_cause 0 preempted
	scancel "$job"
}

live_causes__requeued() { attempt_ended_by requeued scontrol requeue; }
live_causes__cancelled() { attempt_ended_by cancelled scancel; }
live_causes__finished() { attempt_ended_by finished let_go_of; }
live_causes__explicit_directory()
{
	CAUSE_OPTIONS=--ckpt-dir=checkpoints
	attempt_ended_by requeued scontrol requeue
}

let_go_of() { let_go; }

# A job of its own: ends by itself in the way that $1 says.
ends_by_itself()
{
	local word=$1 job
	train_dir "itself_$word"
	as_user tee "$DIR/job.sh" >/dev/null <<-SCRIPT
	#!/bin/sh
	mkdir -p checkpoints && cp $TRAIN_POOL/ckpt-0.pt checkpoints/
	$2
	SCRIPT
	job=$(submit -o out -p low --ckpt-resume "$DIR/job.sh")
	wait_done "$job"
	expect_cause 0 "$word"
}

live_causes__exit_code() { ends_by_itself exit-code 'exit 3'; }
live_causes__crash() { ends_by_itself signal 'kill -SEGV $$'; }

# It takes the signal for an order to leave, and leaves with 0: the job is cancelled all the same, and not finished.
live_causes__a_trap_at_scancel()
{
	local job
	train_dir trap
	as_user tee "$DIR/job.sh" >/dev/null <<-SCRIPT
	#!/bin/sh
	mkdir -p checkpoints && cp $TRAIN_POOL/ckpt-0.pt checkpoints/
	trap 'exit 0' TERM
	echo trapped
	sleep 300 &
	wait
	SCRIPT
	job=$(submit -o out -p low --ckpt-resume "$DIR/job.sh")
	cluster_until 60 grep -qs trapped "$OUT" || fail "it does not start: $(job_field "$job" JobState)"
	as_user scancel -f "$job"
	wait_done "$job"
	expect_cause 0 cancelled
}

# Beyond the site's limit the job is held; released, root alone says so, and it ends without touching anything.
live_causes__max_restarts()
{
	train_dir max
	echo MaxRestarts=1 >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	requeue "$job"
	cluster_until 60 job_held "$job" || fail "not held: $(job_field "$job" JobState)"
	contains "$(squeue -h -j "$job" -o %k)" "the site's MaxRestarts=1 reached"
	as_user scontrol release "$job"
	cluster_until 60 job_on_attempt "$job" 2 FAILED ||
		fail "$(job_field "$job" JobState) at $(job_field "$job" Restarts): $(tail -n 3 "$OUT")"
	sed -i '/^MaxRestarts=/d' "$CLUSTER_DIR/etc/ckpt-resume.conf"
	equal "$(job_field "$job" ExitCode)" 64:0 "exit code"
	file_has "$OUT" "MaxRestarts=1 reached"
	file_lacks "$OUT" "attempt 2 starts"
}

job_held() { [[ $(job_field "$1" Priority) == 0 ]] && job_in_state "$1" PENDING; }

# Nothing could be found out, and the site holds such jobs instead of failing them.
live_causes__undecided_is_held()
{
	((EUID == 0)) || skip_case "needs root, to take files away from their owner"
	train_dir held
	echo OnUndecided=hold >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	chown root: "$RUN"/ckpt-?.pt
	chmod 000 "$RUN"/ckpt-?.pt
	cluster_until 60 job_on_attempt "$job" 2 PENDING || fail "not requeued: $(job_field "$job" JobState)"
	sed -i '/^OnUndecided=/d' "$CLUSTER_DIR/etc/ckpt-resume.conf"
	contains "$(job_field "$job" Reason)" held
	file_lacks "$OUT" "attempt 1 starts"
	scancel "$job"
}

live_start
train_prepare
for name in preempted requeued cancelled finished explicit_directory exit_code crash a_trap_at_scancel max_restarts \
	undecided_is_held; do
	live_case "live_causes__$name"
done
test_end
