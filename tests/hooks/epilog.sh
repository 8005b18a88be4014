#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The epilog: on which node it acts, when it asks slurmctld, and what it lets the agent record.
. "$(dirname "$0")/lib.bash"
hook_setup

DUMP=$HOOK_WORK/dump-record

# info STATE RESTART [MORE]: a line of ckpt-jobinfo for the job.
info() { echo "job=$HOOK_JOB state=$1 completing=1 restart=$2 ${3:+$3 }end=1"; }

# epilog_of STATUS COUNT [CHANGE...]: the epilog of attempt 1 with that batch status and restart count.
epilog_of()
{
	local status=$1 count=$2
	shift 2
	rm -f "$DUMP"
	put_status "$status"
	HOOK_ATTEMPT=$count hook_call epilog "$@"
}

recorded() { file_has "$DUMP" "env CKPT_REQUEST_REASON=$1"; }

not_recorded() { [[ ! -e $DUMP ]] || fail "the agent was started"; }

never_asked() { equal "$(asked)" "" "calls of ckpt-jobinfo"; }

asked_once() { equal "$(asked)" "show $HOOK_JOB" "calls of ckpt-jobinfo"; }

# jobinfo LINE [CODE]
jobinfo() { fake_jobinfo "$@"; }

preempted()
{
	hook_site dumper
	jobinfo "$(info pending 2 preempt=1700000000)"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
	recorded preempted
	file_has "$DUMP" "arg record"
	file_has "$DUMP" "env CKPT_REQUEST_ATTEMPT=1"
	file_has "$DUMP" "env CKPT_REQUEST_STATUS_KNOWN=1"
	file_has "$DUMP" "env CKPT_REQUEST_BATCH_STATUS=15"
	no_spool
}

finished_needs_no_controller()
{
	hook_site dumper
	jobinfo "$(info completed 1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	never_asked
	recorded finished
	no_spool
}

crash_and_oom_need_no_controller()
{
	hook_site dumper
	jobinfo ''
	epilog_of 11 1 SLURM_JOB_EXIT_CODE2=0:11
	recorded signal
	epilog_of 9 1 SLURM_JOB_EXIT_CODE2=0:125
	recorded oom
	never_asked
}

other_ends()
{
	local row state count status code word
	hook_site dumper
	for row in "pending 2 15 0:0 requeued" "timeout 1 15 0:0 time-limit" \
		"cancelled 1 15 0:0 cancelled" "failed 1 256 1:0 exit-code" \
		"node-fail 1 15 0:0 node-fail"; do
		read -r state count status code word <<<"$row"
		jobinfo "$(info "$state" "$count")"
		epilog_of "$status" "$count" "SLURM_JOB_EXIT_CODE2=$code"
		asked_once
		recorded "$word"
	done
}

default_directory_asks_for_the_array()
{
	hook_site dumper
	jobinfo "$(info completed 1 "array_job=4700 array_task=3 name=train_1")"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 -SPANK_CKPT_DIR
	asked_once
	file_has "$DUMP" "env CKPT_REQUEST_ARRAY_JOB=4700"
	file_has "$DUMP" "env CKPT_REQUEST_ARRAY_TASK=3"
	file_has "$DUMP" "env CKPT_REQUEST_JOB_NAME=train_1"
	recorded finished
	jobinfo "$(info completed 1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 -SPANK_CKPT_DIR
	file_has "$DUMP" "env CKPT_REQUEST_ARRAY_JOB=$HOOK_JOB"
	file_has "$DUMP" "env CKPT_REQUEST_ARRAY_TASK=-1"
	jobinfo '' 1
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 -SPANK_CKPT_DIR
	not_recorded
	hook_said "ended: finished; the run directory is left alone"
}

other_nodes_do_nothing()
{
	hook_site dumper
	jobinfo ''
	rm -f "$DUMP"
	hook_call prolog -SPANK_CKPT_DIR
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	never_asked
	no_spool
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	equal "$(cat "$TEST_TMP/hook.err")" "" "what the epilog said"
}

# The epilog of one node while the job runs elsewhere: the spool is an earlier attempt's.
counts_disagree()
{
	hook_site dumper
	jobinfo "$(info running 4)"
	epilog_of 15 4 SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	never_asked
	hook_said "ended: unknown; the run directory is left alone"
	no_spool
}

runs_elsewhere()
{
	hook_site dumper
	jobinfo "job=$HOOK_JOB state=running completing=0 restart=2 end=1"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
	not_recorded
	jobinfo "job=$HOOK_JOB state=pending completing=0 restart=2 end=1"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
}

# A spool that is ahead of the message: an old message, and the new attempt is already here.
spool_is_ahead()
{
	hook_site dumper
	jobinfo ''
	epilog_of 15 0 SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	[[ -e $(hook_spool_job)/status ]]
}

other_boot()
{
	hook_site dumper
	jobinfo ''
	put_status 15
	sed -i 's/^boot=.*/boot=00000000-dead/' "$(hook_spool_job)"/*
	rm -f "$DUMP"
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	never_asked
	no_spool
}

no_answer()
{
	local line
	hook_site dumper EpilogBudget=1
	for line in '' 'rubbish' "$(info running 2 'evil=1')" "$(info 'x y' 2)" \
		"job=$HOOK_JOB state=pending restart=2" "job=1 state=pending completing=1 restart=2 end=1" \
		"$(info pending 2)"$'\n'"$(info pending 2)" "$(info pending 2)$(printf '%3000s' '')"; do
		jobinfo "$line"
		epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
		not_recorded
		hook_said "ended: requeued; the run directory is left alone"
	done
	jobinfo "$(info pending 2)" 1
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	rm "$HOOK_ROOT/lib/ckpt-jobinfo"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	hook_said "no ckpt-jobinfo beside ckpt-hook"
	epilog_of 256 1 SLURM_JOB_EXIT_CODE2=1:0
	recorded exit-code
}

controller_hangs()
{
	hook_site dumper EpilogBudget=1
	printf '#!/bin/sh\nsleep 30 &\nwait\n' >"$HOOK_ROOT/lib/ckpt-jobinfo"
	chmod 755 "$HOOK_ROOT/lib/ckpt-jobinfo"
	rm -f "$DUMP"
	put_status 256
	hook_timed 2 epilog SLURM_JOB_EXIT_CODE2=1:0
	hook_said "slurmctld does not answer in time"
	recorded exit-code
	! pgrep -f "^/bin/sh $HOOK_ROOT/lib/ckpt-jobinfo" || fail "ckpt-jobinfo is left"
}

undecided()
{
	local choice
	for choice in hold requeue; do
		hook_site dumper OnUndecided=$choice
		jobinfo ''
		put_status $((75 * 256)) 1 1
		rm -f "$DUMP"
		hook_call epilog SLURM_JOB_EXIT_CODE2=75:0
		equal "$(asked)" "$choice $HOOK_JOB" "calls of ckpt-jobinfo"
		not_recorded
		no_spool
	done
	hook_site dumper
	jobinfo ''
	put_status $((75 * 256)) 1 1
	hook_call epilog SLURM_JOB_EXIT_CODE2=75:0
	never_asked
}

# Only our own word counts, only for this code, and only while Slurm has not requeued it already.
undecided_is_not_forged()
{
	hook_site dumper OnUndecided=hold
	jobinfo "$(info failed 1)"
	epilog_of $((75 * 256)) 1 SLURM_JOB_EXIT_CODE2=75:0
	asked_once
	recorded exit-code
	jobinfo ''
	put_status $((65 * 256)) 1 1
	hook_call epilog SLURM_JOB_EXIT_CODE2=65:0
	never_asked
	put_status $((75 * 256)) 1 1
	HOOK_ATTEMPT=2 hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	never_asked
}

requeue_refused()
{
	hook_site dumper OnUndecided=requeue
	jobinfo '' 1
	put_status $((75 * 256)) 1 1
	hook_call epilog SLURM_JOB_EXIT_CODE2=75:0
	hook_said "undecided, and could not be requeued"
}

for name in preempted finished_needs_no_controller crash_and_oom_need_no_controller other_ends \
	default_directory_asks_for_the_array other_nodes_do_nothing counts_disagree runs_elsewhere \
	spool_is_ahead other_boot no_answer controller_hangs undecided undecided_is_not_forged \
	requeue_refused; do
	run_case "$name"
done
test_end
