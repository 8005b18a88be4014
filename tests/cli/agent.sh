#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckpt-agent by hand, as the hook and the plugin start it: usage, the frame on descriptor 3, requests
# that it must refuse, confinement, death by a signal, the progress line.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

AGENT=$TEST_BUILD/ckpt-agent
PYTHON=/usr/bin/python3

# agent OP [NAME=VALUE...] [-- OPTION]: runs it for job 7 in a clean environment; frame, words and exit code.
agent()
{
	local op=$1 rc=0 variables=()
	shift
	while (($#)) && [[ $1 != -- ]]; do
		variables+=("CKPT_REQUEST_$1")
		shift
	done
	(($#)) && shift
	env -i PATH=/usr/bin:/bin CKPT_REQUEST_JOB_ID=7 CKPT_REQUEST_CLUSTER=test \
		CKPT_REQUEST_WORK_DIR="$TEST_TMP" CKPT_REQUEST_DIR="$TEST_TMP/run" \
		CKPT_REQUEST_QUARANTINE=rename "${variables[@]}" \
		"$AGENT" "$op" "$@" 3>"$TEST_TMP/frame" 2>"$TEST_TMP/words" || rc=$?
	echo "$rc" >"$TEST_TMP/rc"
}

ended() { equal "$(cat "$TEST_TMP/rc")" "$1" "exit code ($(head -c 500 "$TEST_TMP/words"))"; }

# decoded: checks the frame's magic and length and prints its payload.
decoded()
{
	"$PYTHON" - "$TEST_TMP/frame" <<-'PY'
	import struct, sys
	data = open(sys.argv[1], "rb").read()
	magic, length = struct.unpack("<4sI", data[:8])
	assert magic == b"CKW1", magic
	assert len(data) == 8 + length, (len(data), length)
	sys.stdout.buffer.write(data[8:])
	PY
}

says() { contains $'\n'"$(decoded)"$'\n' $'\n'"$1"$'\n'; }

no_answer() { equal "$(stat -c %s "$TEST_TMP/frame")" 0 "bytes on descriptor 3"; }

# A checkpoint of no known format, which the request's pattern names: needs no PyTorch.
plain_run()
{
	mkdir -p "$TEST_TMP/run"
	echo "state of a program" >"$TEST_TMP/run/state-5.dat"
}

# held_by_another DIR: a lease of job 99 on a node that is not this one.
held_by_another()
{
	mkdir -p "$1/.ckpt-resume"
	"$PYTHON" - "$1/.ckpt-resume/lease.json" <<-'PY'
	import sys
	words = {"run": "", "cluster": "test", "job_id": 99, "attempt": 0, "host": "n9", "boot": "b9",
	         "pid_namespace": 1, "pid": 4, "started": 5, "counter": 3}
	rows = [f'"{k}": "{v}"' if isinstance(v, str) else f'"{k}": {v:20d}' for k, v in words.items()]
	open(sys.argv[1], "w").write("{\n\t\"version\": 1,\n\t" + ",\n\t".join(rows) +
	                             ',\n\t"state":     "held"\n}\n')
	PY
}

lease_has() { jq -r ".$1" "$TEST_TMP/run/.ckpt-resume/lease.json"; }

# What the prolog decided starts under a lease as well, or not at all beside another's.
agent__claims_for_what_is_decided()
{
	plain_run
	held_by_another "$TEST_TMP/run"
	agent claim NODE=n1 LEASE=1 ATTEMPT=1 SHARE=wait
	ended 1
	no_answer
	equal "$(lease_has job_id)" 99 "whose lease it is"
	agent claim NODE=n1 LEASE=1 ATTEMPT=1 SHARE=yes
	ended 0
	rm "$TEST_TMP/run/.ckpt-resume/lease.json"
	agent claim NODE=n1 LEASE=1 ATTEMPT=1 SHARE=wait
	ended 0
	equal "$(lease_has job_id) $(lease_has attempt) $(lease_has state)" "7 1 held" "the lease"
}

# A decision may take longer than it takes a silent holder to be given up.
agent__its_lease_moves_while_it_decides()
{
	mkdir -p "$TEST_TMP/run/.ckpt-resume"
	jq -n --arg see "jq .counter '$TEST_TMP/run/.ckpt-resume/lease.json' >>'$TEST_TMP/counters'" \
		'{model: {fetch: ["/bin/sh", "-c", "\($see); sleep 4; \($see)"]}}' >"$TEST_TMP/run/ckpt-config.json"
	agent resolve NODE=n1 LEASE=1 SHARE=wait
	ended 0
	(($(tail -n 1 "$TEST_TMP/counters") - $(head -n 1 "$TEST_TMP/counters") >= 1)) ||
		fail "the counter did not move: $(xargs <"$TEST_TMP/counters")"
}

# One place is free, the other is not: the one that was put there is no reason to stand back for ever.
agent__beside_another_job_in_one_of_two_directories()
{
	local dir=$TEST_TMP/two
	mkdir -p "$dir/a/.ckpt-resume"
	held_by_another "$dir/b"
	agent resolve "DIR=$dir/a:$dir/b" NODE=n1 LEASE=1 SHARE_WAIT_MS=1000 SHARE=yes
	ended 0
	says "mode=fresh"
	equal "$(grep -c "going on beside it" "$TEST_TMP/words")" 1
}

# Law 9: a script that never heard of us counts from epoch_info.json, and must not skip the epoch that was lost.
agent__a_script_that_counts_by_itself_starts_right()
{
	local dir=$TEST_TMP/count runs=$TEST_SRC/tests/data/make_runs.py start
	mkdir "$dir"
	agent resolve "DIR=$dir"
	ended 0
	"$PYTHON" "$runs" write "$dir" zip 4 || skip_case "python3-torch is not installed"
	echo '{"last_completed_epoch": 4, "best_epoch": 2, "best_score": 0.5}' >"$dir/epoch_info.json"
	"$PYTHON" "$runs" damage "$dir/ckpt-4.pt" cut-10
	agent resolve "DIR=$dir" ATTEMPT=1
	ended 0
	says "path=$dir/ckpt-3.pt"
	says start_epoch=4
	start=$(cd "$dir" && "$PYTHON" -c 'import json; print(json.load(open("epoch_info.json"))["last_completed_epoch"] + 1)')
	equal "$start" 4 "where the script starts"
	equal "$(jq .best_score "$dir/epoch_info.json")" 0.5 "what else the program keeps there"
	equal "$(jq .last_completed_epoch "$dir/.ckpt-resume/epoch_info.json.1")" 4 "the backup"
}

agent__usage()
{
	local words
	words=$("$AGENT" 2>&1) && fail "exit code 0 without arguments"
	contains "$words" "usage: ckpt-agent"
	exits 2 "$AGENT" 2>/dev/null
	exits 2 "$AGENT" help 2>/dev/null
	exits 2 "$AGENT" --no-exec 2>/dev/null
	exits 2 "$AGENT" resolve --exec 2>/dev/null
	exits 2 "$AGENT" resolve --no-exec more 2>/dev/null
	exits 2 "$AGENT" --no-exec resolve 2>/dev/null
}

agent__answers_one_frame()
{
	plain_run
	agent resolve GLOB='state-*.dat' ATTEMPT=0
	ended 0
	says "mode=resume"
	says "path=$TEST_TMP/run/state-5.dat"
	says "job_id=7"
	[[ -f $TEST_TMP/run/.ckpt-resume/run.json ]] || fail "no mark"
}

agent__a_refusal_is_an_answer()
{
	agent resolve RESUME=step:5
	ended 0
	says "mode=refused"
	says "refusal=65"
	[[ ! -e $TEST_TMP/run ]] || fail "a refusal made the run directory"
}

agent__nowhere_to_answer()
{
	local rc=0
	plain_run
	env -i CKPT_REQUEST_WORK_DIR="$TEST_TMP" CKPT_REQUEST_DIR="$TEST_TMP/run" \
		"$AGENT" resolve 3>&- 2>"$TEST_TMP/words" || rc=$?
	equal "$rc" 1 "exit code"
	file_has "$TEST_TMP/words" "cannot answer"
}

# refuses NAME=VALUE PART...: no answer, no mark, and words about it.
refuses()
{
	local variable=$1
	shift
	agent resolve "$variable"
	ended 1
	no_answer
	for part; do file_has "$TEST_TMP/words" "$part"; done
	[[ ! -e $TEST_TMP/run/.ckpt-resume ]] || fail "$variable: something was written"
}

agent__bad_requests()
{
	plain_run
	refuses RESUME=newest "newest"
	refuses RESUME=step:x "step:x"
	refuses RESUME=name:a/b "name:a/b"
	refuses RESUME=$'auto\nx' "auto"
	refuses DIR=a::b "empty directory"
	refuses DIR=a:b:c:d:e:f:g:h:i "too many directories"
	refuses DIR='run-%q' "%-letter"
	refuses ENV=PATH PATH
	refuses ENV=LD_PRELOAD LD_PRELOAD
	refuses ENV='A B' "A B"
	refuses VERIFY=maybe maybe
	refuses METRIC=loss loss
	refuses EPOCH=later later
	refuses ALIGN=perhaps perhaps
	refuses REPIN=2 2
	refuses JOB_ID=-1 -1
	refuses JOB_ID=4294967296 4294967296
	refuses ATTEMPT=first first
	refuses CLUSTER=a/b a/b
	refuses WORK_DIR=relative relative
	refuses ARRAY_TASK=-2 -2
	refuses REASON='no word' "no word"
	refuses BUDGET_MS=1.5 1.5
	refuses MAX_BYTES=-1 -1
	refuses IN_HOOK=2 2
	refuses WORK_DIR="/$(printf 'x%.0s' {1..5000})" "work_dir"
}

# The real file system call by call: what the filter lets a taken-over agent do.
agent__no_exec_confines()
{
	local status
	plain_run
	agent resolve GLOB='state-*.dat' -- --no-exec
	ended 0
	says "mode=resume"
	command -v strace >/dev/null || skip_case "no strace here"
	env -i CKPT_REQUEST_WORK_DIR="$TEST_TMP" CKPT_REQUEST_DIR="$TEST_TMP/run" \
		strace -f -o "$TEST_TMP/trace" "$AGENT" resolve --no-exec 3>/dev/null 2>/dev/null ||
		skip_case "strace may not trace here"
	file_has "$TEST_TMP/trace" "SECCOMP_SET_MODE_FILTER"
	status=$(grep -n SECCOMP_SET_MODE_FILTER "$TEST_TMP/trace" | tail -n 1)
	contains "$status" "= 0"
	# nothing of the user's was opened before
	! head -n "${status%%:*}" "$TEST_TMP/trace" | grep -F "$TEST_TMP/run" ||
		fail "a user's file was touched before the filter stood"
	agent resolve GLOB='state-*.dat'
	! env -i CKPT_REQUEST_WORK_DIR="$TEST_TMP" strace -f -o /dev/stdout "$AGENT" resolve \
		3>/dev/null 2>/dev/null | grep -q SECCOMP_SET_MODE_FILTER || fail "confined without --no-exec"
}

# A large zip that takes a while to check: its content is read and summed.
slow_run()
{
	mkdir -p "$TEST_TMP/run"
	"$PYTHON" - "$TEST_TMP/run/ckpt-1.pt" "$1" <<-'PY'
	import sys, zipfile, pickletools
	with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_STORED) as z:
	    n = int(sys.argv[2])
	    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ"
	    z.writestr("archive/data.pkl", b"\x80\x02}(X\x05\x00\x00\x00model" + storage + (n // 4).to_bytes(4, "little")
	               + b"tQX\x09\x00\x00\x00optimizer}u.")
	    z.writestr("archive/byteorder", "little")
	    with z.open("archive/data/0", "w", force_zip64=True) as f:
	        for _ in range(n >> 20):
	            f.write(b"\x5a" * (1 << 20))
	    z.writestr("archive/version", "3\n")
	PY
}

# start_stopped [--no-exec] [NAME=VALUE]: the agent on the slow run, stopped by SIGSTOP while it reads the checkpoint;
# once more where it was through before that was seen.
start_stopped()
{
	local try options=()
	[[ ${1:-} != --no-exec ]] || { options=("$1") && shift; }
	for try in {1..30}; do
		rm -rf "$TEST_TMP/run/.ckpt-resume"
		env -i CKPT_REQUEST_WORK_DIR="$TEST_TMP" CKPT_REQUEST_DIR="$TEST_TMP/run" "$@" \
			"$AGENT" resolve "${options[@]}" 3>"$TEST_TMP/frame" 2>"$TEST_TMP/words" &
		AGENT_PID=$!
		until is_reading || is_through; do :; done
		kill -STOP "$AGENT_PID" 2>/dev/null || true # it may be through by now
		! is_stopped_reading || return 0
		kill -KILL "$AGENT_PID" 2>/dev/null || true
		wait "$AGENT_PID" || true
	done
	fail "it was never seen to read in $try tries"
}

is_reading() { readlink "/proc/$AGENT_PID/fd/"* 2>/dev/null | grep -q ckpt-1.pt; }

is_through() { [[ -z $(tr -d '\0' <"/proc/$AGENT_PID/cmdline") ]]; } # not waited for yet

# A signal is acted upon a little later than it was sent.
is_stopped_reading()
{
	until is_through || grep -q '^State:.T' "/proc/$AGENT_PID/status"; do :; done
	is_reading
}

agent__while_it_reads_it_is_confined()
{
	slow_run 268435456
	start_stopped --no-exec
	local confined
	confined=$(awk '/^(Seccomp|NoNewPrivs):/ { printf "%s%s ", $1, $2 }' "/proc/$AGENT_PID/status")
	kill -KILL "$AGENT_PID"
	wait "$AGENT_PID" || true
	equal "$confined" "NoNewPrivs:1 Seccomp:2 "
	start_stopped
	confined=$(awk '/^Seccomp:/ { print $2 }' "/proc/$AGENT_PID/status")
	kill -KILL "$AGENT_PID"
	wait "$AGENT_PID" || true
	equal "$confined" 0 "Seccomp without --no-exec"
}

agent__killed_it_has_not_answered()
{
	local rc=0
	slow_run 268435456
	start_stopped
	kill -TERM "$AGENT_PID"
	kill -CONT "$AGENT_PID"
	wait "$AGENT_PID" || rc=$?
	equal "$rc" 143 "exit code"
	no_answer
	[[ ! -e $TEST_TMP/run/.ckpt-resume ]] || fail "it left something behind"
}

# model.fetch, in an empty run directory: the step runs it, a confined agent cannot.
fetching_run()
{
	mkdir -p "$TEST_TMP/run"
	printf '{"model": {"fetch": ["/bin/sh", "-c", "echo ran >%s/ran"]}}\n' "$TEST_TMP" \
		>"$TEST_TMP/run/ckpt-config.json"
}

agent__fetch_runs_in_the_step()
{
	fetching_run
	agent resolve
	ended 0
	says "mode=fresh"
	equal "$(cat "$TEST_TMP/ran")" ran "what the fetch command left"
}

# It is in its directory, reads nothing, says what it says on the job's stderr, and cannot answer for us.
agent__what_a_fetch_is_given()
{
	mkdir -p "$TEST_TMP/run"
	jq -n '{model: {fetch_into: "got", fetch: ["/bin/sh", "-c",
		"(pwd; readlink /proc/$$/fd/0; ls /proc/$$/fd | xargs) >state; echo said; env >env"]}}' \
		>"$TEST_TMP/run/ckpt-config.json"
	agent resolve
	ended 0
	says "mode=finetune" # from what it left there
	equal "$(cat "$TEST_TMP/run/got/state")" "$TEST_TMP/run/got"$'\n'/dev/null$'\n'"0 1 2"
	file_has "$TEST_TMP/words" said
	file_lacks "$TEST_TMP/run/got/env" CKPT_
}

agent__fetch_is_refused_when_confined()
{
	fetching_run
	agent resolve -- --no-exec
	ended 0
	says "mode=fresh"
	contains "$(decoded)" "model.fetch: cannot run"
	[[ ! -e $TEST_TMP/ran ]] || fail "the command ran"
}

agent__a_failing_fetch_is_said()
{
	mkdir -p "$TEST_TMP/run"
	echo '{"model": {"fetch": ["/bin/sh", "-c", "exit 3"]}}' >"$TEST_TMP/run/ckpt-config.json"
	agent resolve
	ended 0
	contains "$(decoded)" "ended with exit code 3"
}

agent__a_hook_hands_on_only_a_resume()
{
	mkdir -p "$TEST_TMP/run"
	agent resolve IN_HOOK=1 -- --no-exec
	ended 1
	no_answer
	file_has "$TEST_TMP/words" "left to the step"
	[[ ! -e $TEST_TMP/run/.ckpt-resume ]] || fail "the hook wrote"
	plain_run
	agent resolve IN_HOOK=1 GLOB='state-*.dat' -- --no-exec
	ended 0
	says "mode=resume"
	[[ ! -e $TEST_TMP/run/.ckpt-resume ]] || fail "the hook wrote"
}

# Not while another job's lease lies there, not with half a check, not beside what could not be read.
agent__a_hook_leaves_doubt_to_the_step()
{
	local hook=(IN_HOOK=1 ATTEMPT=1 GLOB='state-*.dat')
	plain_run
	agent resolve GLOB='state-*.dat'
	held_by_another "$TEST_TMP/run"
	agent resolve "${hook[@]}" -- --no-exec
	ended 1
	file_has "$TEST_TMP/words" "left to the step: another job's lease"
	rm "$TEST_TMP/run/.ckpt-resume/lease.json"
	ln -s state-9.dat "$TEST_TMP/run/state-9.dat"
	agent resolve "${hook[@]}" -- --no-exec
	ended 1
	file_has "$TEST_TMP/words" "left to the step: 1 checkpoints could not be read"
	no_answer
	rm "$TEST_TMP/run/state-9.dat"
	agent resolve "${hook[@]}" -- --no-exec
	ended 0
	says "path=$TEST_TMP/run/state-5.dat"
	equal "$(jq -r 'select(.attempt == 1) | .where' "$TEST_TMP/run/.ckpt-resume/ledger.jsonl")" prolog "the ledger"
	[[ -f $TEST_TMP/run/.ckpt-resume/decision-test-7-1.json ]] || fail "no decision was left for the job"
}

# What a budget cut off is weaker evidence in the step, and no answer of a hook.
agent__a_budget_is_kept()
{
	slow_run 268435456
	agent resolve
	says "evidence=checksum"
	agent resolve MAX_BYTES=100000
	ended 0
	says "evidence=structure"
	agent resolve BUDGET_MS=1
	ended 0
	! decoded | grep -qx "evidence=checksum" || fail "a quarter of a gigabyte in a millisecond"
	agent resolve ATTEMPT=1 IN_HOOK=1 MAX_BYTES=100000 -- --no-exec
	ended 1
	file_has "$TEST_TMP/words" "left to the step: the budget cut the check off"
}

# It runs in "/": a place of the state that is taken from the work directory lies there all the same, and the answer is
# one that the plugin takes.
agent__the_state_lies_in_the_work_directory()
{
	plain_run
	(cd / && agent resolve NODE=n1 LEASE=1 GLOB='state-*.dat' STATE=st/%j)
	ended 0
	says "decision_file=$TEST_TMP/st/7/.ckpt-resume/decision-test-7-0.json"
	[[ -f $TEST_TMP/st/7/.ckpt-resume/run.json && -f $TEST_TMP/st/7/.ckpt-resume/lease.json ]] || fail "no mark, or no lease"
	[[ ! -e $TEST_TMP/run/.ckpt-resume && ! -e /st ]] || fail "it wrote elsewhere"
	(cd / && agent resolve NODE=n1 GLOB='state-*.dat' STATE=st/%j ATTEMPT=1)
	says "mode=resume"
	agent resolve GLOB='state-*.dat' STATE=st ARRAY_JOB=5 ARRAY_TASK=1 DIR="$TEST_TMP/run/%a"
	says "refusal=64"
}

# A lease is for whoever starts and asked for one.
agent__no_lease_where_nothing_starts()
{
	plain_run
	agent resolve NODE=n1 GLOB='state-*.dat'
	[[ ! -e $TEST_TMP/run/.ckpt-resume/lease.json ]] || fail "a lease that nobody asked for"
	agent resolve NODE=n1 GLOB='state-*.dat' LEASE=1 SHARE=wait RESUME=step:77
	says "mode=refused"
	[[ ! -e $TEST_TMP/run/.ckpt-resume/lease.json ]] || equal "$(lease_has state)" released "after a refusal"
	agent resolve NODE=n1 GLOB='state-*.dat' LEASE=1 SHARE=wait
	says "mode=resume"
	equal "$(lease_has state)" held "after a start"
	agent record NODE=n1 GLOB='state-*.dat' REASON=preempted IN_HOOK=1 -- --no-exec
	ended 0
	equal "$(lease_has state)" released "after the end"
	"$TEST_BUILD/ckptctl" "done" "$TEST_TMP/run"
	agent resolve NODE=n1 GLOB='state-*.dat' LEASE=1 SHARE=wait ATTEMPT=1
	says "mode=done"
	equal "$(lease_has state)" released "of a run that is done"
}

agent__records_the_end()
{
	plain_run
	agent record GLOB='state-*.dat' REASON=preempted IN_HOOK=1 -- --no-exec
	ended 1
	file_has "$TEST_TMP/words" "no mark of the run"
	agent resolve GLOB='state-*.dat'
	agent record GLOB='state-*.dat' REASON=preempted IN_HOOK=1 -- --no-exec
	ended 0
	file_has "$TEST_TMP/run/.ckpt-resume/ledger.jsonl" '"cause":"preempted"'
	agent settle GLOB='state-*.dat' ATTEMPT=1
	ended 0
	says "reason=preempted"
}

# The line comes every ten seconds; they pass while the agent is stopped.
agent__tells_progress()
{
	local rc=0
	slow_run 268435456
	start_stopped
	sleep 10.2
	kill -CONT "$AGENT_PID"
	wait "$AGENT_PID" || rc=$?
	equal "$rc" 0 "exit code"
	says "mode=resume"
	grep -Eq '^ckpt-resume: checking ckpt-1.pt: [0-9.]+ [KMG]?B of 268.[0-9] MB, 1[0-9]s$' "$TEST_TMP/words" ||
		fail "no progress line: $(cat "$TEST_TMP/words")"
	equal "$(grep -c checking "$TEST_TMP/words")" 1 "progress lines"
}

agent__in_a_hook_it_is_silent()
{
	slow_run 268435456
	start_stopped --no-exec CKPT_REQUEST_IN_HOOK=1
	sleep 10.2
	kill -CONT "$AGENT_PID"
	wait "$AGENT_PID"
	says "mode=resume"
	file_lacks "$TEST_TMP/words" checking
}

# One of a pair: exit code 0, or 124 where it still watches the other's lease, which nobody moves.
starts()
{
	local rc=0
	timeout 8 env -i PATH=/usr/bin:/bin "CKPT_REQUEST_JOB_ID=$2" CKPT_REQUEST_CLUSTER=test "CKPT_REQUEST_NODE=n$2" \
		CKPT_REQUEST_WORK_DIR="$TEST_TMP" "CKPT_REQUEST_DIR=$1" CKPT_REQUEST_LEASE=1 CKPT_REQUEST_SHARE=wait \
		CKPT_REQUEST_SHARE_WAIT_MS=60000 "$AGENT" resolve 3>"$1.frame$2" 2>"$1.words$2" || rc=$?
	echo "$rc" >"$1.rc$2"
}

# Two jobs, the same moment, the same directory: there, yet to be made, or left by a third one.
agent__of_two_starts_one_stands_back()
{
	local i dir=$TEST_TMP/pair
	for i in {1..12}; do
		((i % 3)) || continue
		mkdir -p "$dir$i/.ckpt-resume"
		((i % 2)) || jq -n '{version: 1, run: "", cluster: "test", job_id: 5, attempt: 0, host: "n5", boot: "",
			pid_namespace: 0, pid: 0, started: 0, counter: 3, state: "released"}' >"$dir$i/.ckpt-resume/lease.json"
	done
	for i in {1..12}; do
		starts "$dir$i" 7 &
		starts "$dir$i" 8 &
	done
	wait
	for i in {1..12}; do
		equal "$(sort -n "$dir$i".rc? | paste -sd,)" 0,124 "pair $i: exit codes"
		equal "$(find "$dir$i/.ckpt-resume" -name '*.tmp')" "" "pair $i: temporaries"
	done
}

for case in usage answers_one_frame a_refusal_is_an_answer nowhere_to_answer bad_requests no_exec_confines \
	while_it_reads_it_is_confined killed_it_has_not_answered fetch_runs_in_the_step \
	what_a_fetch_is_given fetch_is_refused_when_confined a_failing_fetch_is_said a_hook_hands_on_only_a_resume \
	a_hook_leaves_doubt_to_the_step a_budget_is_kept the_state_lies_in_the_work_directory no_lease_where_nothing_starts records_the_end \
	tells_progress of_two_starts_one_stands_back in_a_hook_it_is_silent \
	a_script_that_counts_by_itself_starts_right beside_another_job_in_one_of_two_directories \
	claims_for_what_is_decided its_lease_moves_while_it_decides; do
	rm -rf "$TEST_TMP/run" "$TEST_TMP/ran"
	run_case "agent__$case"
done
test_end
