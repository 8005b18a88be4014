#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The run directory becomes a mount that never answers, under a plugin that is `required`: prolog and epilog end
# with 0 within their budget and a second, and no node is drained.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/dead_mount.sh"

BUDGET=2
HOOKS_LOG=$TEST_TMP/hooks.log

# A hook around the hook, which notes how long that took and its exit code.
write_timer()
{
	cat >"$TEST_TMP/timer" <<-'SCRIPT'
	#!/bin/bash
	began=$(/usr/bin/date +%s%N)
	"${0%/*}/lib/ckpt-hook"
	rc=$?
	echo "$SLURM_SCRIPT_CONTEXT $SLURM_JOB_ID $((($(/usr/bin/date +%s%N) - began) / 1000000)) $rc" >>"${0%/*}/hooks.log"
	exit "$rc"
	SCRIPT
	chmod 755 "$TEST_TMP/timer"
	ln -s "$CLUSTER_DIR/lib" "$TEST_TMP/lib"
}

hooks_ran() { (($(grep -c "^$1_slurmd $2 " "$HOOKS_LOG") >= $3)); }

# in_time HOOK JOB N: its Nth call comes to its end, and all of them kept to their time and exit code.
in_time()
{
	cluster_until 60 hooks_ran "$@" || fail "no $1 $3 of job $2: $(cat "$HOOKS_LOG")"
	awk '$4 != 0 { bad = 1 } END { exit bad }' "$HOOKS_LOG" || fail "a hook failed: $(cat "$HOOKS_LOG")"
	awk -v most=$((BUDGET * 1000 + 1000)) '$3 > most { bad = 1 } END { exit bad }' "$HOOKS_LOG" ||
		late "a hook was late: $(cat "$HOOKS_LOG")"
}

# The last call of HOOK for JOB did wait: the mount was in its way.
did_wait()
{
	awk -v hook="$1_slurmd" -v job="$2" -v least=$((BUDGET * 1000 - 300)) \
		'$1 == hook && $2 == job { ms = $3 } END { exit ms < least }' "$HOOKS_LOG" ||
		fail "the $1 did not meet the mount: $(cat "$HOOKS_LOG")"
}

none_drained()
{
	! sinfo -h -N -o %T | grep -qE 'drain|down|fail' || fail "nodes: $(sinfo -h -N -o '%N=%T(%E)')"
}

live_dead_mount__at_the_end()
{
	: >"$HOOKS_LOG"
	train_dir ends
	job=$(train 1 --ckpt-resume "--ckpt-dir=$RUN")
	waits_at 0 "$job"
	dead_mount "$RUN"
	let_go
	in_time epilog "$job" 1
	did_wait epilog "$job"
	wait_state "$job" COMPLETED
	dead_asked
	nodes_idle # while the agent still sleeps
	none_drained
}

live_dead_mount__at_a_requeue()
{
	: >"$HOOKS_LOG"
	train_dir requeued
	job=$(train 1 --ckpt-resume "--ckpt-dir=$RUN")
	waits_at 0 "$job"
	dead_mount "$RUN"
	requeue "$job"
	in_time epilog "$job" 1
	wait_attempt "$job" 1
	in_time prolog "$job" 2
	did_wait epilog "$job"
	did_wait prolog "$job"
	none_drained
	sleep 1
	file_lacks "$OUT" "attempt 1 starts" # the step waits, as the job itself would
	dead_release
	wait_done "$job"
	file_lacks "$OUT" "attempt 1 starts"
	[[ -e $RUN/ckpt-1.pt ]] || fail "the checkpoint is gone"
}

# The node of a dead mount serves other jobs.
live_dead_mount__others_go_on()
{
	local other
	: >"$HOOKS_LOG"
	train_dir first
	job=$(train 1 --ckpt-resume "--ckpt-dir=$RUN" -w n1)
	waits_at 0 "$job"
	dead_mount "$RUN"
	let_go
	in_time epilog "$job" 1
	train_dir second
	other=$(train 0 --ckpt-resume -w n1)
	waits_at 0 "$other"
	expect 0 RESUME_MODE=fresh
	ends_well "$other"
}

((EUID == 0)) || { echo "skip ${0##*/}: needs root, to mount" && exit 0; }
: >"$HOOKS_LOG"
CLUSTER_PLUGIN=required CLUSTER_PROLOG=$TEST_TMP/timer CLUSTER_EPILOG=$TEST_TMP/timer
CLUSTER_SITE="PrologBudget=$BUDGET
EpilogBudget=$BUDGET"
live_start
write_timer
train_prepare
for name in at_the_end at_a_requeue others_go_on; do
	live_case "live_dead_mount__$name"
done
test_end
