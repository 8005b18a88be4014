#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The run directory, or the work directory, is a mount that never answers, and the agent the real one: the hooks
# leave it behind, asleep in the kernel, and are done within their budget and a second.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/../lib/dead_mount.sh"
hook_setup
[[ -x $TEST_BUILD/ckpt-agent ]] || { echo "skip ${0##*/}: no agent is built" && exit 0; }

DEAD=$TEST_TMP/dead
mkdir -p "$DEAD"

# left_behind HOOK [CHANGE...]
left_behind()
{
	local which=$1
	shift
	hook_site right PrologBudget=1 EpilogBudget=1
	install -m 711 "$TEST_BUILD/ckpt-agent" "$HOOK_ROOT/agents/right"
	fake_jobinfo ''
	dead_mount "$DEAD"
	[[ $which == prolog ]] || put_status 256
	hook_timed 2 "$which" SLURM_JOB_EXIT_CODE2=0:0 "$@"
	dead_asked
	[[ -n $(agents_left) ]] || fail "the agent could be killed: this shows nothing"
	[[ $which == epilog ]] || no_decision
	[[ $which == prolog ]] || no_spool
	hook_said "gave no answer in time"
	hook_said "are still there"
	# The next hooks are not held by it.
	hook_timed 2 "$which" SLURM_JOB_ID=4712 SPANK_CKPT_DIR="$HOOK_WORK/other"
	dead_release
	no_agents_left
}

run_directory() { left_behind "$1" "SPANK_CKPT_DIR=$DEAD"; }

below_it() { left_behind "$1" "SPANK_CKPT_DIR=$HOOK_WORK/other:$DEAD/a/b"; }

work_directory() { left_behind "$1" "SLURM_JOB_WORK_DIR=$DEAD" SPANK_CKPT_DIR=run; }

state_directory() { left_behind "$1" "SPANK_CKPT_STATE=$DEAD/state"; }

for name in run_directory below_it work_directory state_directory; do
	run_case_as "prolog_$name" "$name" prolog
	run_case_as "epilog_$name" "$name" epilog
done
test_end
