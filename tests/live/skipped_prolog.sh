#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Jobs that slurmd starts again without their Prolog: it runs none for a job that it still knows, and forgets those
# that were requeued at most every two seconds (slurm_cred.c, _clear_expired_job_states). Here they do not end before
# they are killed, so that slurmd knows them until after their next start, and several start on one node at once: at
# most one of them is forgotten in time.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"

TOGETHER=3
JOBS=()

# Prolog and epilog: the hook, and a line for each that ran.
write_hooks()
{
	cat >"$TEST_TMP/hook" <<-'SCRIPT'
	#!/bin/bash
	dir=${0%/*}
	"$dir/lib/ckpt-hook" || exit 1
	echo "$SLURM_SCRIPT_CONTEXT $SLURM_JOB_ID $SLURM_JOB_RESTART_COUNT" >>"$dir/ran"
	SCRIPT
	chmod 755 "$TEST_TMP/hook"
}

has_prolog() { grep -qx "prolog_slurmd $1 $2" "$TEST_TMP/ran"; }

# each COMMAND...: for every job, with JOB, DIR, RUN and OUT of it.
each()
{
	local i
	for ((i = 0; i < TOGETHER; i++)); do
		JOB=${JOBS[i]} DIR=$CLUSTER_WORK/skipped.$i
		RUN=$DIR/checkpoints OUT=$DIR/out
		"$@"
	done
}

all_requeued() { scontrol requeue "$(IFS=, && echo "${JOBS[*]}")"; }

# some_skipped ATTEMPT: at least one has started that attempt without a Prolog.
some_skipped()
{
	local job n=0
	for job in "${JOBS[@]}"; do
		has_prolog "$job" "$1" || n=$((n + 1))
	done
	((n)) || late "every job had its Prolog at attempt $1"
}

refused()
{
	cluster_until 90 job_on_attempt "$JOB" 2 FAILED ||
		fail "$(job_field "$JOB" JobState) at $(job_field "$JOB" Restarts): $(tail -n 3 "$OUT")"
	equal "$(job_field "$JOB" ExitCode)" 64:0 "exit code"
	file_has "$OUT" "attempt 2: MaxRestarts=1 reached"
	file_lacks "$OUT" "attempt 2 from"
}

# They resume from the right checkpoint, their ends are recorded, and the site's cap holds for them too.
live_skipped_prolog__goes_on_and_ends()
{
	local i
	JOBS=()
	for ((i = 0; i < TOGETHER; i++)); do
		ON_TERM=: life "skipped.$i" 0
		JOBS+=("$JOB")
	done
	each is_on 0
	all_requeued
	each goes_on 1 ckpt-0.pt requeued
	some_skipped 1
	each is_on 1
	all_requeued
	each expect_event end 1 cause requeued
	each expect_event end 1 newest_valid ckpt-1.pt
	echo MaxRestarts=1 >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	each refused
	sed -i '/^MaxRestarts=/d' "$CLUSTER_DIR/etc/ckpt-resume.conf"
	some_skipped 2
}

write_hooks
CLUSTER_NODES=1 CLUSTER_CPUS=4 CLUSTER_CONF=KillWait=4
CLUSTER_PROLOG=$TEST_TMP/hook CLUSTER_EPILOG=$TEST_TMP/hook
live_start
: >"$TEST_TMP/ran"
ln -s "$CLUSTER_DIR/lib" "$TEST_TMP/lib"
train_prepare
live_case live_skipped_prolog__goes_on_and_ends
test_end
