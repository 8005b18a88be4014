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
	file_has "$DUMP" "nice $(nice)"
	file_has "$DUMP" "env CKPT_REQUEST_ATTEMPT=1"
	file_has "$DUMP" "env CKPT_REQUEST_STATUS_KNOWN=1"
	file_has "$DUMP" "env CKPT_REQUEST_BATCH_STATUS=15"
	no_spool
}

finished()
{
	hook_site dumper
	jobinfo "$(info completed 1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
	recorded finished
	file_has "$DUMP" "CKPT_REQUEST_FINISHED=1"
	no_spool
}

# slurmctld may just fail over; and was there to be asked where somebody cancelled or the time was up.
finished_although_nobody_answers()
{
	hook_site dumper
	jobinfo '' 1
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
	recorded finished
	file_has "$DUMP" "CKPT_REQUEST_FINISHED=1"
}

# The step has told its task's own directory: no letter of an array is left in it, nor missed.
directories_of_a_decision()
{
	hook_site dumper
	jobinfo "$(info completed 1 'array_job=4700 array_task=3')"
	rm -f "$DUMP"
	put_status 0
	printf '%s\n' mode=fresh line=x "job_id=$HOOK_JOB" attempt=1 "dir=$HOOK_WORK/run/3" "dirs=$HOOK_WORK/run/3" \
		>"$(hook_spool_job)/decision"
	chmod 600 "$(hook_spool_job)/decision"
	HOOK_ATTEMPT=1 hook_call epilog SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_DIR=run/%a
	recorded finished
	file_has "$DUMP" "env CKPT_REQUEST_DIR=$HOOK_WORK/run/3"
	file_has "$DUMP" "env CKPT_REQUEST_EXPANDED=1"
}

# A script's trap ends it with 0 whatever the signal was for.
a_trap_is_no_finish()
{
	local state
	for state in timeout:time-limit cancelled:cancelled deadline:time-limit node-fail:node-fail; do
		hook_site dumper
		jobinfo "$(info "${state%:*}" 1)"
		epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
		recorded "${state#*:}"
		file_lacks "$DUMP" "CKPT_REQUEST_FINISHED=1"
	done
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

# The prolog failed: put back without a start, and on the batch host that is recorded.
never_started()
{
	local change
	hook_site dumper
	jobinfo "$(info pending 2)"
	rm -f "$DUMP"
	HOOK_ATTEMPT=1 hook_call prolog -SPANK_CKPT_DIR
	HOOK_ATTEMPT=2 hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	recorded requeued
	file_has "$DUMP" "env CKPT_REQUEST_STATUS_KNOWN=0"
	rm -f "$DUMP" # the step was there: its slurmstepd is lost, and that is not for the epilog to tell
	HOOK_ATTEMPT=1 hook_call prolog
	touch "$(hook_spool_job)/started"
	HOOK_ATTEMPT=2 hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	not_recorded
	for change in SLURM_NODELIST=n0 SLURM_HET_JOB_ID=$((HOOK_JOB - 1)); do
		rm -f "$DUMP"
		HOOK_ATTEMPT=1 hook_call prolog
		HOOK_ATTEMPT=2 hook_call epilog SLURM_JOB_EXIT_CODE2=0:0 "$change"
		not_recorded
	done
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
		case $choice in
		hold) equal "$(asked)" "hold $HOOK_JOB undecided, as its output says; scontrol release $HOOK_JOB tries again" "calls" ;;
		*) equal "$(asked)" "requeue $HOOK_JOB" "calls" ;;
		esac
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
	hook_said "could not be requeued (undecided"
}

# A cluster whose jobs are given time to save and leave, when they are preempted.
GRACE=$'PreemptType = preempt/partition_prio\nPartitionName=a GraceTime=20'

# requeues WHY: slurmctld was asked, the end recorded, the requeue noted, and then made.
requeues()
{
	equal "$(asked | tr '\n' ' ')" "show $HOOK_JOB requeue $HOOK_JOB " "calls of ckpt-jobinfo"
	file_has "$HOOK_WORK/dump-note" "env CKPT_REQUEST_NOTE=requeue"
	file_has "$HOOK_WORK/dump-note" "env CKPT_REQUEST_NOTE_WHY=$1"
	hook_said "requeued: $1"
}

requeues_not()
{
	lacks "$(asked)" requeue "calls of ckpt-jobinfo"
	[[ ! -e $HOOK_WORK/dump-note ]] || fail "a requeue was noted"
}

lacks() { [[ $1 != *"$2"* ]] || fail "'$2' is in $3: $1"; }

left_in_its_grace_time()
{
	HOOK_SLURM_CONF=$GRACE hook_site dumper
	jobinfo "$(info completed 1 'preempt=1700000000 host=n1')"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	requeues preempt
	recorded preempted
	file_lacks "$DUMP" "CKPT_REQUEST_FINISHED=1"
	HOOK_SLURM_CONF=$GRACE hook_site dumper
	jobinfo "$(info failed 1 'preempt=1700000000 host=n1')"
	epilog_of 768 1 SLURM_JOB_EXIT_CODE2=3:0
	requeues preempt
	HOOK_SLURM_CONF=$GRACE hook_site dumper
	jobinfo "$(info completed 1 'preempt=1700000000 host=n1')"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_REQUEUE=none
	requeues_not
}

# With a grace time, only an answer tells an end with 0 from a program that saved and left.
finished_where_there_is_grace()
{
	HOOK_SLURM_CONF=$GRACE hook_site dumper
	jobinfo "$(info completed 1 host=n1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
	recorded finished
	file_has "$DUMP" "CKPT_REQUEST_FINISHED=1"
	HOOK_SLURM_CONF=$GRACE hook_site dumper EpilogBudget=1
	jobinfo '' 1
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	recorded finished
	file_lacks "$DUMP" "CKPT_REQUEST_FINISHED=1"
}

requeues_what_the_list_says()
{
	hook_site dumper
	jobinfo "$(info failed 1 host=n1)"
	epilog_of $((85 * 256)) 1 SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:84,85
	requeues exit
	hook_site dumper
	jobinfo "$(info failed 1 host=n1)"
	epilog_of $((86 * 256)) 1 SLURM_JOB_EXIT_CODE2=86:0 SPANK_CKPT_REQUEUE=exit:84,85
	requeues_not
	hook_site dumper
	jobinfo "$(info timeout 1 host=n1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_REQUEUE=time-limit
	requeues time-limit
}

# Its companion had noted a requeue and went with the program, which saved and left: with 0, or otherwise.
requeues_for_its_companion()
{
	local row state status code option file=$HOOK_ROOT/counts/ckpt.prom
	mkdir -p "${file%/*}"
	for row in "completed 0 0:0" "failed 36608 143:0" "failed 15 0:15"; do
		read -r state status code <<<"$row"
		hook_site wants-stall "MetricsFile=$file"
		jobinfo "$(info "$state" 1 host=n1)"
		epilog_of "$status" 1 "SLURM_JOB_EXIT_CODE2=$code" SPANK_CKPT_STALL=5
		requeues stall
		hook_said "ended: stalled; recorded"
	done
	file_has "$file" 'ckpt_resume_ends_total{cause="stalled"} 3'
	hook_site wants-time-limit
	jobinfo "$(info completed 1 host=n1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_BEFORE_LIMIT=5
	requeues time-limit
	hook_said "ended: time-limit; recorded"
	# cancelled, requeued already, never to be requeued; and without a companion's word
	for row in "cancelled 1" "pending 2" "completed 1 no_requeue=1"; do
		hook_site wants-stall
		# shellcheck disable=SC2086 # two or three words
		set -- $row
		jobinfo "$(info "$1" "$2" "host=n1 ${3:-}")"
		epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_STALL=5
		requeues_not
	done
	for option in SPANK_CKPT_STALL=5 SPANK_CKPT_BEFORE_LIMIT=5; do
		hook_site dumper
		jobinfo "$(info completed 1 host=n1)"
		epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0 "$option"
		asked_once
		requeues_not
	done
}

requeues_no_other()
{
	local line
	for line in "$(info failed 1 host=n2)" "$(info failed 2 host=n1)" "$(info cancelled 1 host=n1)" \
		"$(info failed 1 'host=n1 no_requeue=1')" "job=$HOOK_JOB state=failed completing=0 restart=1 host=n1 end=1"; do
		hook_site dumper
		jobinfo "$line"
		epilog_of $((85 * 256)) 1 SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:85
		requeues_not
	done
	hook_site silent # the end is not recorded
	jobinfo "$(info failed 1 host=n1)"
	epilog_of $((85 * 256)) 1 SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:85
	requeues_not
	hook_said "not requeued: its end could not be recorded"
}

# slurmctld says no to the end: the ledger's word is taken back.
requeue_taken_back()
{
	HOOK_SLURM_CONF=$GRACE hook_site dumper EpilogBudget=2
	cat >"$HOOK_ROOT/lib/ckpt-jobinfo" <<-SCRIPT
	#!/bin/sh
	[ "\$1" = show ] && echo '$(info completed 1 'preempt=1700000000 host=n1')'
	SCRIPT
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	hook_said "could not be requeued (preempt)"
	file_has "$HOOK_WORK/dump-note" "env CKPT_REQUEST_NOTE_WHY=refused"
}

# Its record does not come in time, as on a node that is busy: the requeue of one that was preempted comes
# nevertheless, as soon as the ledger has it.
requeues_without_a_record()
{
	HOOK_SLURM_CONF=$GRACE hook_site late-recorder EpilogBudget=3
	jobinfo "$(info completed 1 'preempt=1700000000 host=n1')"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	hook_said "the agent (record) gave no answer in time"
	requeues preempt
	hook_site late-recorder EpilogBudget=3
	jobinfo "$(info failed 1 host=n1)"
	epilog_of $((85 * 256)) 1 SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:85
	requeues_not
	HOOK_SLURM_CONF=$GRACE hook_site silent EpilogBudget=1
	jobinfo "$(info completed 1 'preempt=1700000000 host=n1')"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	requeues_not
	hook_said "not requeued: the ledger cannot be written"
}

# slurmctld fails over: refuses three times, then answers.
tries_again()
{
	hook_site dumper
	cat >"$HOOK_ROOT/lib/ckpt-jobinfo" <<-SCRIPT
	#!/bin/sh
	echo "\$*" >>$TEST_TMP/asked
	[ \$(wc -l <$TEST_TMP/asked) -gt 3 ] || exit 1
	[ "\$1" != show ] || echo '$(info failed 1 host=n1)'
	SCRIPT
	rm -f "$TEST_TMP/asked"
	epilog_of $((85 * 256)) 1 SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:85
	hook_said "requeued: exit"
	hook_site dumper EpilogBudget=2
	jobinfo '' 1
	put_status $((85 * 256))
	hook_timed 3 epilog SLURM_JOB_EXIT_CODE2=85:0 SPANK_CKPT_REQUEUE=exit:85
	(($(asked | wc -l) > 2)) || fail "not tried again"
	hook_said "ckpt-jobinfo show failed"
	recorded exit-code
}

# slurmctld is busy: each call is waited for, and made once.
slow_answers()
{
	HOOK_SLURM_CONF=$GRACE hook_site dumper EpilogBudget=6
	jobinfo ''
	cat >"$HOOK_ROOT/lib/ckpt-jobinfo" <<-SCRIPT
	#!/bin/sh
	echo "\$*" >>$TEST_TMP/asked
	[ "\$1" != show ] || { sleep 2.5 && echo '$(info completed 1 'preempt=1700000000 host=n1')'; }
	[ "\$1" != requeue ] || sleep 2
	SCRIPT
	rm -f "$TEST_TMP/asked"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	requeues preempt
	recorded preempted
}

# A budget of the site: one restart, and this was it. Slurm has requeued it; it is held where it waits.
held_by_the_sites_budget()
{
	hook_site dumper MaxRestarts=1
	jobinfo "$(info pending 2 'preempt=1700000000 commented=1')"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	contains "$(asked)" "hold $HOOK_JOB the site's MaxRestarts=1 reached"
	contains "$(asked)" " only"
	file_has "$HOOK_WORK/dump-note" "env CKPT_REQUEST_NOTE=hold"
	hook_site dumper MaxRestarts=2
	jobinfo "$(info pending 2 preempt=1700000000)"
	epilog_of 15 2 SLURM_JOB_EXIT_CODE2=0:0
	asked_once
}

held_as_the_refusal_said()
{
	hook_site dumper
	jobinfo ''
	put_status $((69 * 256)) 1 1
	hook_call epilog SLURM_JOB_EXIT_CODE2=69:0
	equal "$(asked)" "hold $HOOK_JOB restarts used up, its output says which; scontrol release $HOOK_JOB goes on" calls
	jobinfo "$(info failed 1 host=n1)"
	put_status $((69 * 256))
	hook_call epilog SLURM_JOB_EXIT_CODE2=69:0
	asked_once # a program's own 69
}

# Another job is at work in its run directory: it waits for that one's end. What the step wrote of it is a user's.
stands_back()
{
	local holder
	for holder in 17 "$HOOK_JOB" 0; do
		hook_site dumper
		jobinfo ''
		rm -f "$DUMP"
		put_status $((73 * 256)) 1 1
		printf '%s\n' mode=refused refusal=73 line=busy "job_id=$HOOK_JOB" attempt=1 "holder=$holder" |
			sed /=0$/d >"$(hook_spool_job)/decision"
		chmod 600 "$(hook_spool_job)/decision"
		hook_call epilog SLURM_JOB_EXIT_CODE2=73:0
		case $holder in
		17) equal "$(asked)" "requeue $HOOK_JOB 17" calls ;;
		*) equal "$(asked)" "requeue $HOOK_JOB" calls ;;
		esac
		not_recorded
		no_spool
	done
	jobinfo ''
	put_status $((73 * 256)) 1 1
	HOOK_ATTEMPT=2 hook_call epilog SLURM_JOB_EXIT_CODE2=73:0
	never_asked # it is in the queue already
	jobinfo "$(info failed 1 host=n1)"
	put_status $((73 * 256))
	hook_call epilog SLURM_JOB_EXIT_CODE2=73:0
	asked_once # a program's own 73
}

counts_for_the_site()
{
	local file=$HOOK_ROOT/metrics/ckpt.prom
	mkdir -p "${file%/*}"
	hook_site dumper "MetricsFile=$file"
	jobinfo "$(info completed 1)"
	epilog_of 0 1 SLURM_JOB_EXIT_CODE2=0:0
	epilog_of 11 1 SLURM_JOB_EXIT_CODE2=0:11
	epilog_of 11 1 SLURM_JOB_EXIT_CODE2=0:11
	file_has "$file" 'ckpt_resume_ends_total{cause="finished"} 1'
	file_has "$file" 'ckpt_resume_ends_total{cause="signal"} 2'
	equal "$(stat -c %U:%a "$file")" root:644
	file_has "$file" 'ckpt_resume_verification_seconds_total 1.500'
	file_has "$file" '{format="npz",problem="checksum"} 3'
	put_status 11 # and what its start had checked
	printf '%s\n' mode=fresh line=x "job_id=$HOOK_JOB" attempt=1 verify_ms=250 rejected=torch-zip/truncated,npz/checksum \
		>"$(hook_spool_job)/decision"
	chmod 600 "$(hook_spool_job)/decision"
	HOOK_ATTEMPT=1 hook_call epilog SLURM_JOB_EXIT_CODE2=0:11
	file_has "$file" 'ckpt_resume_verification_seconds_total 2.250'
	file_has "$file" '{format="npz",problem="checksum"} 5'
	file_has "$file" '{format="torch-zip",problem="truncated"} 1'
	file_has "$file" 'ckpt_resume_ends_total{cause="signal"} 3'
	chmod 777 "${file%/*}"
	epilog_of 11 1 SLURM_JOB_EXIT_CODE2=0:11
	hook_said "MetricsFile '$file': Operation not permitted"
	file_has "$file" 'ckpt_resume_ends_total{cause="signal"} 3'
	recorded signal
}

for name in preempted counts_for_the_site finished finished_although_nobody_answers directories_of_a_decision a_trap_is_no_finish crash_and_oom_need_no_controller other_ends \
	default_directory_asks_for_the_array other_nodes_do_nothing never_started counts_disagree runs_elsewhere \
	spool_is_ahead other_boot no_answer controller_hangs undecided undecided_is_not_forged \
	requeue_refused left_in_its_grace_time finished_where_there_is_grace requeues_what_the_list_says \
	requeues_for_its_companion requeues_no_other requeues_without_a_record requeue_taken_back tries_again slow_answers held_by_the_sites_budget \
	held_as_the_refusal_said stands_back; do
	run_case "$name"
done
test_end
