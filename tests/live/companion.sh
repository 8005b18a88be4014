#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 900 seconds
#
# The companion of a running job: it seals what the job saves, is in nobody's way, and ends with the job.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

# Prints the pids of the companions of JOB.
companions()
{
	local dir
	for dir in /proc/[0-9]*; do
		[[ $(cat "$dir/comm" 2>/dev/null) == ckpt-companion ]] || continue
		! grep -qszFx "SLURM_CONF=$SLURM_CONF" "$dir/environ" ||
			! grep -qszFx "CKPT_REQUEST_JOB_ID=$1" "$dir/environ" || echo "${dir#/proc/}"
	done
}

has_companion() { [[ -n $(companions "$1") ]]; }
has_none() { [[ -z $(companions "$1") ]]; }
is_sealed() { [[ -s $RUN/ckpt-$1.pt.metadata.json ]]; }
events() { jq -c "select(.event == \"checkpoint\") | [.name, .verdict, .evidence, .step, .attempt]" "$RUN/.ckpt-resume/ledger.jsonl"; }

has_event() { events 2>/dev/null | grep -qxF -- "$1"; }

live_companion__seals_what_is_saved()
{
	train_dir seals
	job=$(train 1 --ckpt-resume --ckpt-epoch=completed)
	waits_at 0 "$job"
	cluster_until 60 is_sealed 0 || fail "ckpt-0 was not sealed"
	cluster_until 60 is_sealed 1 || fail "ckpt-1 was not sealed"
	cluster_until 60 grep -q ckpt-1.pt "$RUN/epoch_info.json" || fail "epoch_info.json is not kept"
	cluster_until 60 has_event '["ckpt-1.pt","valid","checksum",20,0]' || fail "the ledger has: $(events)"
	equal "$(jq -r .reason "$RUN/epoch_info.json")" running reason
	equal "$(jq -r .last_completed_epoch "$RUN/epoch_info.json")" 1 "last completed epoch"
	as_user ckptctl validate "$RUN/ckpt-1.pt" | grep -q seal || fail "the seal is not taken"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" RESUME_EVIDENCE=seal-unchanged
	ends_well "$job"
}

# A file is never sealed before it is whole, however long its writer takes: not even when others, written after its
# first half, are.
live_companion__never_half_written()
{
	train_dir half
	cat >"$TRAIN_POOL/slow.sh" <<-'PROGRAM'
	#!/bin/bash
	size=$(stat -c %s "$1/ckpt-0.pt")
	{ head -c $((size / 2)) "$1/ckpt-0.pt"; echo half >&2; while [[ ! -e go ]]; do sleep 0.1; done; tail -c +$((size / 2 + 1)) "$1/ckpt-0.pt"; } >checkpoints/ckpt-0.pt
	cp checkpoints/ckpt-0.pt checkpoints/last.ckpt
	head -c $((size / 2)) "$1/ckpt-1.pt" >checkpoints/ckpt-1.pt
	echo "attempt 0 waits"
	while [[ -e hold ]]; do sleep 0.1; done
	PROGRAM
	chmod 755 "$TRAIN_POOL/slow.sh"
	job=$(submit -o out --ckpt-resume "$TRAIN_POOL/slow.sh" "$TRAIN_POOL")
	wait_said half
	put 3
	cluster_until 60 is_sealed 3 || fail "one that is whole was not sealed"
	sleep 3
	[[ ! -e $RUN/ckpt-0.pt.metadata.json ]] || fail "sealed while it was written"
	as_user touch "$DIR/go"
	waits_at 0 "$job"
	cluster_until 60 is_sealed 0 || fail "not sealed when it was whole"
	cluster_until 60 test -s "$RUN/last.ckpt.metadata.json" || fail "last.ckpt was not sealed"
	[[ ! -e $RUN/ckpt-1.pt.metadata.json ]] || fail "half a file was sealed"
	# rewritten in place: sealed again
	as_user cp "$TRAIN_POOL/ckpt-2.pt" "$RUN/last.ckpt"
	cluster_until 60 sealed_as_now last.ckpt || fail "not sealed again"
	[[ ! -e $RUN/ckpt-1.pt.metadata.json ]] || fail "half a file was sealed since"
	ends_well "$job"
}

sealed_as_now() { as_user ckptctl validate --level=structure --json "$RUN/$1" | grep -q seal-unchanged; }

# Neither `wait` nor waitpid(-1) knows of it, no signal to the group reaches it, and it ends with the script.
live_companion__is_nobodys_child()
{
	train_dir nobody
	cat >"$TRAIN_POOL/nobody.sh" <<-'PROGRAM'
	#!/bin/bash
	trap 'echo term' TERM
	wait
	echo "waited"
	python3 -c 'import os
	try:
	    print("waited for", os.waitpid(-1, 0))
	except ChildProcessError:
	    print("no child")'
	exec python3 -c 'import os, time
	try:
	    print("then", os.waitpid(-1, 0))
	except ChildProcessError:
	    print("none after exec", flush=True)
	while os.path.exists("hold"): time.sleep(0.1)'
	PROGRAM
	sed -i 's/^\t//' "$TRAIN_POOL/nobody.sh"
	chmod 755 "$TRAIN_POOL/nobody.sh"
	job=$(submit -o out --ckpt-resume "$TRAIN_POOL/nobody.sh")
	wait_said "none after exec"
	file_has "$OUT" waited
	file_has "$OUT" "no child"
	cluster_until 60 has_companion "$job" || fail "no companion"
	ends_well "$job"
	cluster_until 3 has_none "$job" || late "it outlives the job: $(companions "$job")"
}

# However an attempt ends, its companion ends too, and the next one has its own.
live_companion__ends_with_the_attempt()
{
	train_dir ends
	job=$(train 0 --ckpt-resume)
	waits_at 0 "$job"
	cluster_until 60 has_companion "$job" || fail "no companion"
	first=$(companions "$job")
	requeue "$job"
	cluster_until 10 has_none "$job" || late "it outlives the attempt"
	waits_at 1 "$job"
	cluster_until 60 has_companion "$job" || fail "no companion at attempt 1"
	[[ $(companions "$job") != "$first" ]] || fail "the same companion"
	# the one or the other of the two that stay; one that checks a file is gone at any moment
	victim=$(companions "$job" | sort -n | head -n 2 | tail -n 1)
	kill -KILL "$victim" 2>/dev/null || kill -KILL "$(companions "$job" | sort -n | head -n 1)"
	sleep 0.5
	scancel "$job"
	wait_state "$job" CANCELLED
	cluster_until 3 has_none "$job" || late "it outlives scancel"
}

# killed_last JOB: processes of its batch step that slurmstepd had to kill behind the script's end.
killed_last() { cat "$CLUSTER_LOG"/n*.log | grep "\[$1.batch\].*(inherited_task) with signal 9" | sort -u | wc -l; }

# For each that is left slurmstepd sleeps a second, and slurmd longer: it is gone before. On a busy machine one of
# three ends shows it.
live_companion__not_in_the_way_of_the_end()
{
	local try
	for try in 1 2 3; do
		train_dir "way.$try"
		job=$(submit -o out --ckpt-resume --wrap 'exec sleep 100') # no child of its own is left
		cluster_until 60 has_companion "$job" || fail "no companion"
		sleep 1
		scancel "$job"
		wait_state "$job" CANCELLED
		has_none "$job" || cluster_until 10 has_none "$job" || fail "it outlives scancel"
		[[ $(killed_last "$job") != 0 ]] || return 0
	done
	fail "slurmstepd had to kill it each time"
}

# A script that ends at once, and one that never begins.
live_companion__short_and_refused()
{
	train_dir short
	job=$(submit -o out --ckpt-resume --wrap true)
	wait_state "$job" COMPLETED
	cluster_until 3 has_none "$job" || late "it outlives a short job"
	job=$(submit -o out2 --ckpt-resume=name:ckpt-9.pt --wrap true)
	wait_state "$job" FAILED
	has_none "$job" || fail "a companion without a script"
}

live_companion__site_says_no()
{
	echo Companion=no >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	train_dir no
	job=$(train 0 --ckpt-resume)
	waits_at 0 "$job"
	has_none "$job" || fail "a companion"
	ends_well "$job"
	sed -i /^Companion=/d "$CLUSTER_DIR/etc/ckpt-resume.conf"
}

# A program that saves when it is told to, by the signal $1, and then ends; its script would go on, and finish.
saver()
{
	cat >"$TRAIN_POOL/saver.sh" <<-'PROGRAM'
	#!/bin/bash
	echo "attempt ${SLURM_RESTART_COUNT:-0} reason $CKPT_RESUME_REASON path $CKPT_RESUME_PATH"
	echo "heartbeat $CKPT_HEARTBEAT"
	if ((${SLURM_RESTART_COUNT:-0} > 0)); then exit 0; fi
	cp "$1/ckpt-0.pt" checkpoints/
	python3 "$1/saver.py" "$1" "$2"
	sleep 1
	echo "the script went on"
	PROGRAM
	cat >"$TRAIN_POOL/saver.py" <<-'PROGRAM'
	import os, shutil, signal, sys, time
	def save(number, frame):
	    shutil.copy(sys.argv[1] + "/ckpt-1.pt", "checkpoints/ckpt-1.pt")
	    print("saved", flush=True)
	    sys.exit(0)
	signal.signal(getattr(signal, "SIG" + sys.argv[2]), save)
	print("attempt 0 waits", flush=True)
	while True: time.sleep(60)
	PROGRAM
	chmod 755 "$TRAIN_POOL"/saver.*
}

ledger() { jq -c "select(.event == \"$1\")" "$RUN/.ckpt-resume/ledger.jsonl"; }

# Nothing comes of it any more: it is told to save, and starts again from what it saved.
live_companion__stalled()
{
	train_dir stalled
	saver
	job=$(submit -o out --ckpt-resume --ckpt-stall=6s "$TRAIN_POOL/saver.sh" "$TRAIN_POOL" TERM)
	wait_said "attempt 0 waits"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" "no sign of progress for"
	file_has "$OUT" saved
	file_has "$OUT" "a checkpoint was saved; requeueing"
	file_has "$OUT" "attempt 1 reason stalled path $RUN/ckpt-1.pt"
	file_has "$OUT" "heartbeat $RUN/.ckpt-resume/heartbeat"
	file_lacks "$OUT" "the script went on"
	contains "$(ledger requeue)" '"why":"stall"'
	contains "$(ledger stall)" '"command":"python3","state":"S"'
	contains "$(ledger stall)" '"attempt 0 waits"'
	ends_well "$job"
}

end_of() { jq -c "select(.event == \"end\" and .attempt == $1) | [.cause, .finished]" "$RUN/.ckpt-resume/ledger.jsonl"; }

has_end() { [[ -n $(end_of "$1") ]]; }

# A script that is its program, saves and leaves with 0: in a control group its companion goes with it, and the
# epilog brings the job back. Why it was told to save is why it ended.
live_companion__leaves_with_0()
{
	train_dir leaves
	saver
	sed -i 's/^\s*python3/exec python3/' "$TRAIN_POOL/saver.sh"
	job=$(submit -o out --ckpt-resume --ckpt-stall=6s "$TRAIN_POOL/saver.sh" "$TRAIN_POOL" TERM)
	wait_said "attempt 0 waits"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" saved
	file_has "$OUT" "attempt 1 reason stalled path $RUN/ckpt-1.pt"
	equal "$(end_of 0)" '["stalled",null]' "the end of attempt 0"
	ends_well "$job"
	equal "$(job_field "$job" Restarts)" 1 restarts
	cluster_until 60 has_end 1 || fail "the end of attempt 1"
	equal "$(end_of 1)" '["finished",1]' "the end of attempt 1"
	contains "$(as_user ckptctl history "$RUN")" stalled
}

# Signs of life: processor time, output, and the heartbeat, which then counts alone.
live_companion__not_stalled()
{
	local what jobs=()
	train_dir lively
	cat >"$TRAIN_POOL/lively.sh" <<-'PROGRAM'
	#!/bin/bash
	end=$((SECONDS + 14))
	case $1 in
	cpu) while ((SECONDS < end)); do :; done ;;
	output) while ((SECONDS < end)); do echo tick; sleep 1; done ;;
	beat) while ((SECONDS < end)); do touch "$CKPT_HEARTBEAT"; sleep 1; done ;;
	esac
	echo "done $1"
	PROGRAM
	chmod 755 "$TRAIN_POOL/lively.sh"
	for what in cpu output beat; do
		jobs+=("$(submit -o "out-$what" --ckpt-resume "--ckpt-dir=$what" --ckpt-stall=6s "$TRAIN_POOL/lively.sh" "$what")")
	done
	for what in "${jobs[@]}"; do
		wait_state "$what" COMPLETED 120
		equal "$(job_field "$what" Restarts)" 0 "restarts of $what"
	done
	for what in cpu output beat; do
		file_has "$DIR/out-$what" "done $what"
	done
}

# The time limit comes near: the program saves by the signal, and the job goes on in the next attempt.
live_companion__before_the_limit()
{
	train_dir limit
	saver
	job=$(submit -o out --time=1 --ckpt-resume --ckpt-before-limit=55s "$TRAIN_POOL/saver.sh" "$TRAIN_POOL" USR1)
	wait_said "attempt 0 waits"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" "the time limit is"
	file_has "$OUT" saved
	file_has "$OUT" "attempt 1 reason time-limit path $RUN/ckpt-1.pt"
	file_lacks "$OUT" "the script went on"
	contains "$(ledger requeue)" '"why":"time-limit"'
	ends_well "$job"
}

# A stall that the list does not have is told, and the limit is seen to all the same.
live_companion__left_alone_until_the_limit()
{
	train_dir both
	saver
	job=$(submit -o out --time=1 --ckpt-resume --ckpt-requeue=preempt --ckpt-stall=6s --ckpt-before-limit=38s \
		"$TRAIN_POOL/saver.sh" "$TRAIN_POOL" USR1)
	wait_said "so the job is left alone"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" "attempt 1 reason time-limit path $RUN/ckpt-1.pt"
	equal "$(grep -c "left alone" "$OUT")" 1 "times that it was told"
	equal "$(ledger requeue | jq -r .why)" time-limit "requeues in the ledger"
	ends_well "$job"
}

# slurmctld is away when it is to requeue: the hang is looked at again, and requeued when it is back.
live_companion__slurmctld_away()
{
	train_dir away
	saver
	job=$(submit -o out --ckpt-resume --ckpt-stall=6s "$TRAIN_POOL/saver.sh" "$TRAIN_POOL" USR1)
	wait_said "attempt 0 waits"
	cluster_kill slurmctld TERM
	wait_said "slurmctld did not requeue the job" 120
	start_slurmctld || fail "slurmctld does not come back"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" "attempt 1 reason stalled path $RUN/ckpt-0.pt"
	equal "$(ledger requeue | jq -r .why | paste -sd,)" stall,refused,stall "the ledger"
	ends_well "$job"
}

# It would be told to save at once, again and again: that is said, and it is left alone.
live_companion__no_room_before_the_limit()
{
	train_dir room
	job=$(submit -o out --time=1 --ckpt-resume --ckpt-before-limit=10m --wrap 'sleep 36; echo over')
	wait_said over 60
	file_has "$OUT" "time limit is 1m00s, and --ckpt-before-limit=10m is not less: nothing is done before it"
	wait_state "$job" COMPLETED
	equal "$(job_field "$job" Restarts)" 0 restarts
	equal "$(ledger limit)$(ledger requeue)" "" "what its companion did"
}

# Nothing new comes of three attempts that hang: held, and each has its cause.
live_companion__held_after_three_stalls()
{
	train_dir hangs
	job=$(submit -o out --ckpt-resume --ckpt-stall=3s --wrap 'sleep 300')
	cluster_until 150 is_held_now "$job" || fail "$(job_field "$job" JobState) $(job_field "$job" Restarts)"
	contains "$(squeue -h -j "$job" -o %k)" "3 attempts in a row ended without a new checkpoint"
	equal "$(end_of 0)$(end_of 1)$(end_of 2)" '["stalled",null]["stalled",null]["stalled",null]' causes
	equal "$(as_user ckptctl history --json "$RUN" | jq -rc '[.attempts[].cause]')" '["stalled","stalled","stalled"]' history
	scancel "$job"
}

is_held_now()
{
	job_hurry "$1"
	[[ $(job_field "$1" Priority) == 0 ]]
}

# What it costs: a training that saves every two seconds, and one that does nothing.
live_companion__costs_nothing()
{
	local seconds=${COMPANION_COST_SECONDS:-20} ticks
	train_dir cost
	job=$(submit -o out --ckpt-resume "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 7 $((seconds / 8)))
	wait_said "attempt 0 wrote ckpt-0"
	wait_said "attempt 0 waits" $((seconds + 30))
	ticks=$(cpu_ticks "$job")
	echo "companion: $ticks ticks of 10 ms in $seconds s, $(rss "$job") KiB"
	((ticks * 10 * 200 <= seconds * 1000 + 4000)) || fail "$ticks ticks in $seconds s"
	(($(rss "$job") <= 16384)) || fail "$(rss "$job") KiB of memory"
	ends_well "$job"
}

# Processor time of all companions of JOB with their children that have ended, in ticks.
cpu_ticks()
{
	local pid sum=0 n
	for pid in $(companions "$1"); do
		n=$(sed 's/.*) //' "/proc/$pid/stat" | awk '{ print $12 + $13 + $14 + $15 }')
		sum=$((sum + n))
	done
	echo "$sum"
}

# Memory of its own that all of them have together.
rss()
{
	local pid sum=0 n
	for pid in $(companions "$1"); do
		n=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
		sum=$((sum + n))
	done
	echo "$sum"
}

there() { (cd "$RUN" && printf '%s\n' ckpt-*.pt) | tr -dc 0-9; }
are_left() { [[ $(there) == "$1" ]]; }
pruned() { ledger pruned | jq -r '.names[]' | sort | tr -dc 0-9; }
pruned_are() { [[ $(pruned) == "$1" ]]; }

# The newest two stay, and the one that an attempt began from.
live_companion__keeps_the_newest()
{
	train_dir keep
	job=$(train 3 --ckpt-resume --ckpt-keep=2)
	waits_at 0 "$job"
	cluster_until 150 are_left 23 || fail "attempt 0: there are $(there)"
	cluster_until 60 pruned_are 01 || fail "the ledger says that these are gone: $(pruned)"
	[[ ! -e $RUN/ckpt-0.pt.metadata.json ]] || fail "a seal was left"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-3.pt"
	put 4 5
	cluster_until 150 are_left 345 || fail "attempt 1: there are $(there)"
	cluster_until 60 pruned_are 012 || fail "the ledger says that these are gone: $(pruned)"
	ends_well "$job"
}

live_start
train_prepare
names=(seals_what_is_saved never_half_written is_nobodys_child ends_with_the_attempt short_and_refused
	site_says_no stalled not_stalled keeps_the_newest costs_nothing)
read -ra names <<<"${COMPANION_CASES:-${names[*]}}"
for name in "${names[@]}"; do
	live_case "live_companion__$name"
done
test_end
