#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckptctl stage: run once over several attempts, and again where its outputs are not what they were; state that
# is torn, held or lost; signals and exit codes as the command's own.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
# Each case has a work directory of its own.
WORK=$TEST_TMP/work
STATE=checkpoints/.ckpt-resume
unset "${!SLURM_@}" "${!CKPT_@}"

# stage ATTEMPT ARGUMENTS...: as that attempt of job 4711; $out, $words and $rc.
stage()
{
	rc=0
	out=$(SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=test SLURM_RESTART_COUNT=$1 "$CTL" stage "${@:2}" 2>"$TEST_TMP/words") ||
		rc=$?
	words=$(<"$TEST_TMP/words")
}

# ran ATTEMPT ARGUMENTS... / skipped ...: the stage does, and says PART (in $said).
ran() { stage "$@" && [[ $rc == 0 && $out == *RUN* ]] || fail "rc $rc, out '$out': $words"; }
skipped() { stage "$@" && [[ $rc == 0 && $out != *RUN* && $words == *": skipped" ]] || fail "rc $rc, out '$out': $words"; }

# A stage that leaves `data` and the directory `tree`.
MAKE=(make --output=data --output=tree -- sh -c 'echo RUN; echo content >data; mkdir -p tree/sub; echo a >tree/sub/a; echo b >tree/b')

stage__once_over_two_attempts()
{
	ran 0 "${MAKE[@]}"
	equal "$words" "" "a first run says nothing"
	skipped 0 "${MAKE[@]}"
	skipped 1 "${MAKE[@]}"
	contains "$words" "complete since attempt 0 of job 4711 on $(uname -n)"
	contains "$words" "2 outputs verified (12 B)"
	ran 1 second -- echo RUN # none of its outputs is known
	skipped 2 second -- echo RUN
}

stage__outputs_that_changed_run_it_again()
{
	ran 0 "${MAKE[@]}"
	rm data
	ran 1 "${MAKE[@]}"
	contains "$words" "'data' is missing: it runs again"
	echo Content >data
	ran 1 "${MAKE[@]}"
	contains "$words" "'data' has another content"
	echo longer content >data
	ran 1 "${MAKE[@]}"
	contains "$words" "'data' has another size"
	echo x >tree/new
	ran 1 "${MAKE[@]}"
	contains "$words" "'tree' holds another number of files"
	rm tree/new
	ran 1 "${MAKE[@]}"
	echo c >tree/b
	ran 1 "${MAKE[@]}"
	contains "$words" "'tree' has another content"
	mv tree/b tree/c
	ran 1 "${MAKE[@]}"
	contains "$words" "'tree' has another content"
	rm -r tree
	echo >tree
	stage 1 make --output=data --output=tree -- sh -c 'rm tree; mkdir tree; echo content >data'
	contains "$words" "'tree' is no directory any more"
	touch data
	skipped 1 make --output=data --output=tree -- echo RUN
	ran 1 make --output=data -- echo RUN
	contains "$words" "other outputs"
	cd tree
	SLURM_JOB_ID=1 stage 1 make --dir=../checkpoints --output=data -- sh -c 'echo RUN; echo >data'
	contains "$words" "other outputs" # another `data` than that one
}

stage__names_and_links()
{
	local name=$'new\nline "quote"'
	mkdir -p real
	echo 1 >real/file
	ln -s real/file link
	ln -s real dirlink
	ran 0 odd --output="$name" --output=link --output=dirlink --output="$WORK/abs" -- \
		sh -c 'echo RUN; echo x >"$1"; echo y >abs' - "$name"
	skipped 1 odd --output="$name" --output=link --output=dirlink --output="$WORK/abs" -- echo RUN
	echo 2 >real/file
	ran 1 odd --output="$name" --output=link --output=dirlink --output="$WORK/abs" -- echo RUN
	contains "$words" "'link' has another content"
	"$CTL" stage list --json | jq -e --arg n "$name" '.[0].outputs[0].given == $n and .[0].outputs[0].path == $ENV.PWD + "/" + $n' \
		>jq.log || fail "the odd name in JSON"
	stage 0 fifo --output=fifo -- mkfifo fifo
	equal "$rc" 1 "exit code where an output is a fifo"
}

stage__a_check_has_a_say()
{
	ran 0 checked --check='test -e ok' -- sh -c 'echo RUN; touch ok'
	skipped 1 checked --check='test -e ok' -- echo RUN
	contains "$words" "its check passed"
	rm ok
	stage 1 checked --check='test -e ok' -- echo RUN
	equal "$rc" 1 "exit code where the check fails after the command"
	contains "$words" "its check fails"
	stage 1 checked -- echo RUN
	contains "$words" "failed with exit code 1"
}

stage__exit_codes_and_missing_outputs()
{
	stage 0 bad -- sh -c 'exit 7'
	equal "$rc" 7
	ran 1 bad -- echo RUN
	contains "$words" "failed with exit code 7 in attempt 0 of job 4711"
	stage 0 without --output=never -- true
	equal "$rc" 1 "exit code where an output is missing"
	contains "$words" "'never' is missing: not complete"
	stage 0 nothing -- /no/such/program
	equal "$rc" 127
	stage 0 nothing -- /etc/passwd
	equal "$rc" 126
	stage 1 nothing -- sh -c 'kill -KILL $$'
	equal "$rc" 137 "exit code of a killed command"
}

# begun NAME: waits until its command runs.
begun()
{
	local n=0
	until [[ -e $1 ]]; do
		n=$((n + 1))
		[[ $n -lt 3000 ]] || fail "it did not begin"
		sleep 0.02
	done
}

stage__a_signal_goes_on_and_leaves_it_incomplete()
{
	local pid rc=0
	# caught by the command, which saves and ends with 0
	"$CTL" stage sig -- sh -c 'trap "echo got >got; exit 0" TERM; touch begun; while :; do sleep 0.05; done' 2>words.log &
	pid=$!
	begun begun
	kill -TERM $pid
	wait $pid || rc=$?
	equal "$rc" 0 "exit code"
	equal "$(cat got)" got "what the command got"
	file_has words.log "signal 15 came while it ran"
	ran 1 sig -- echo RUN
	contains "$words" "interrupted with exit code 0"
	# not caught
	rm begun
	"$CTL" stage sig2 -- sh -c 'touch begun; exec sleep 60' 2>words.log &
	pid=$!
	begun begun
	kill -TERM $pid
	rc=0
	wait $pid || rc=$?
	equal "$rc" 143 "exit code"
	rm -f words.log
	python3 -c 'import subprocess, sys
sys.exit(-subprocess.run(sys.argv[1:]).returncode)' "$CTL" stage sig3 -- sh -c 'kill -TERM $$' 2>words.log || rc=$?
	equal "$rc" 15 "the signal that ended it ends ckptctl, too"
	ran 1 sig2 -- echo RUN
	contains "$words" "interrupted with exit code 143"
	# an interrupt's key reaches both, and counts as one
	"$CTL" stage usr -- sh -c 'trap "n=x\$n" USR1; touch b3; until [ "$n" ]; do sleep 0.05; done; sleep 0.2; exit ${#n}' 2>words.log &
	pid=$!
	begun b3
	kill -USR1 $pid
	rc=0
	wait $pid || rc=$?
	equal "$rc" 1 "USR1 is passed on once"
}

stage__a_killed_holder_leaves_no_lock()
{
	local pid child n=0
	"$CTL" stage held -- sh -c 'echo $$ >pid; touch begun; exec sleep 60' &
	pid=$!
	begun begun
	stage 1 held -- echo RUN
	equal "$rc" 3 "exit code while another runs it"
	contains "$words" "(pid $pid)"
	"$CTL" stage list >listed
	equal "$(awk '$1 == "held" { print $2, $3, $8 }' listed)" "running - -" "the row of one that runs"
	contains "$words" "runs it now: nothing was started"
	equal "$out" ""
	stage 1 other -- echo RUN # the state's own lock is free
	equal "$out" RUN
	child=$(cat pid)
	kill -KILL $pid
	wait $pid || true
	while kill -0 "$child" 2>/dev/null; do
		n=$((n + 1))
		[[ $n -lt 3000 ]] || fail "the command outlived it"
		sleep 0.02
	done
	ran 1 held -- echo RUN
	contains "$words" "began it and was not seen to end"
}

stage__waits_for_another_and_then_skips()
{
	"$CTL" stage slow -- sh -c 'touch begun; sleep 0.5' &
	begun begun
	skipped 0 slow --wait -- echo RUN
	wait
}

# Many at once: none is lost from the record.
stage__many_at_once()
{
	local i
	for i in {1..12}; do "$CTL" stage "s$i" -- true & done
	wait
	equal "$("$CTL" stage list --json | jq -r '[.[] | select(.state == "complete")] | length')" 12
	for i in {1..8}; do "$CTL" stage one --wait -- sh -c 'echo x >>one' 2>/dev/null & done
	wait
	equal "$(wc -l <one)" 1 "runs of one stage by eight at once"
}

stage__torn_state()
{
	ran 0 "${MAKE[@]}"
	cp $STATE/stages.json whole
	head -c 100 whole >$STATE/stages.json
	skipped 1 "${MAKE[@]}"
	contains "$words" "stages.json is not whole; its copy is, and counts"
	ran 1 more -- echo RUN
	cmp -n 100 whole $STATE/stages.json.torn || fail "the torn one was not kept"
	sed 's/"complete"/"failed"/' whole >$STATE/stages.json # rotten, but JSON
	skipped 1 more -- echo RUN
	: >$STATE/stages.json
	: >$STATE/stages-copy.json
	ran 1 "${MAKE[@]}"
	contains "$words" "are not whole"
	skipped 1 "${MAKE[@]}"
	# the higher number counts, not the time
	cp $STATE/stages.json old
	ran 1 newer -- echo RUN
	cp old $STATE/stages.json
	skipped 1 newer -- echo RUN
	"$CTL" stage list >/dev/null
	cp $STATE/stages.json old
	: >$STATE/stages-copy.json
	stage 1 list
	equal "$rc/$words" "0/ckptctl: stages-copy.json is not whole; its copy is, and counts"
	: >$STATE/stages.json
	stage 1 list
	equal "$rc/$out" "3/" "a list of nothing that is whole"
}

stage__state_that_cannot_be_read_starts_nothing()
{
	ran 0 "${MAKE[@]}"
	rm $STATE/stages.json
	ln -s stages.json $STATE/stages.json
	stage 1 "${MAKE[@]}"
	equal "$rc/$out" "3/" "a record that cannot be read"
	contains "$words" "nothing was started"
	rm -r checkpoints
	CKPT_RESUME_MODE=fresh CKPT_JOB=4711 CKPT_ATTEMPT=1 CKPT_DIR=$WORK/checkpoints stage 1 "${MAKE[@]}"
	equal "$rc/$out" "3/" "a run directory that is gone"
	[[ ! -e checkpoints ]] || fail "it was made"
}

stage__list_and_reset()
{
	stage 0 list
	equal "$rc" 3 "exit code where there is no run directory"
	[[ ! -e checkpoints ]] || fail "list made it"
	ran 0 "${MAKE[@]}"
	stage 0 bad -- false
	stage 0 list
	equal "$(awk '{ print $1, $2, $3, $4, $5 }' <<<"$out")" "STAGE STATE EXIT JOB ATTEMPT"$'\n'"make complete 0 4711 0"$'\n'"bad failed 1 4711 0"
	contains "$out" "2, 12 B"
	equal "$("$CTL" stage list --json | jq -c '[.[] | .name, .state, (.outputs | length)]')" '["make","complete",2,"bad","failed",0]'
	[[ $out =~ make\ +complete\ .*\ $(date -u +%Y)-[0-9-]+T ]] || fail "no time of its beginning: $out"
	[[ -e $STATE/stage-make.lock ]] || fail "no lock: $(ls $STATE)"
	stage 0 reset nothing
	equal "$rc" 1
	stage 0 reset make
	equal "$rc" 0
	[[ ! -e $STATE/stage-make.lock ]] || fail "its lock stays"
	stage 0 reset bad other
	equal "$rc" 2 "exit code of two names"
	stage 0 name --output= -- true
	equal "$rc" 2 "exit code of an empty output"
	ran 0 "${MAKE[@]}"
	stage 0 reset
	equal "$("$CTL" stage list --json)" "[]"
	for name in list reset ../x .x -- 'a b' "$(printf 'a%.0s' {1..64})"; do
		stage 0 "$name" -- echo RUN
		equal "$rc/$out" "2/" "stage '$name'"
	done
	stage 0 name
	equal "$rc" 2 "exit code without a command"
	stage 0 name --json -- true
	equal "$rc" 2 "--json of a stage that runs"
}

# One pipeline, cut off in its second stage, as attempts of a job would run it.
stage__a_pipeline_over_three_attempts()
{
	cat >job.sh <<-EOF
	set -e
	$CTL stage fetch --output=raw -- sh -c 'echo fetch >>log; echo raw >raw'
	$CTL stage prepare --output=prepared -- sh -c 'echo prepare >>log; [ \$SLURM_RESTART_COUNT -ge 1 ] || kill -TERM \$\$; cat raw raw >prepared'
	$CTL stage train --output=model -- sh -c 'echo train >>log; cat prepared >model'
	EOF
	local n rc
	for n in 0 1 2; do
		rc=0
		SLURM_JOB_ID=9 SLURM_RESTART_COUNT=$n bash job.sh 2>"words.$n" || rc=$?
		equal "$rc" $((n == 0 ? 143 : 0)) "exit code of attempt $n"
	done
	equal "$(xargs <log)" "fetch prepare prepare train" "what ran"
	equal "$(grep -c skipped words.2)" 3 "stages that attempt 2 skipped"
}

for case in once_over_two_attempts outputs_that_changed_run_it_again names_and_links a_check_has_a_say \
	exit_codes_and_missing_outputs a_signal_goes_on_and_leaves_it_incomplete a_killed_holder_leaves_no_lock \
	waits_for_another_and_then_skips many_at_once torn_state state_that_cannot_be_read_starts_nothing \
	list_and_reset a_pipeline_over_three_attempts; do
	rm -rf "$WORK" && mkdir "$WORK" && cd "$WORK"
	run_case "stage__$case"
done
test_end
