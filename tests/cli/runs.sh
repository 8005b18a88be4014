#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckptctl history, watch and report over ledgers that were really made, and over hostile ones.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
GLOB='state-*.dat'
unset "${!SLURM_@}" "${!CKPT_@}"
WORK=$TEST_TMP/work
STATE=checkpoints/.ckpt-resume

# attempt N: decides attempt N of job 4711 in ./checkpoints.
attempt()
{
	SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=test SLURM_RESTART_COUNT=$1 "$CTL" env --glob="$GLOB" \
		>/dev/null 2>words || fail "attempt $1: $(<words)"
}

put() { mkdir -p checkpoints && echo "state $1" >"checkpoints/state-$1.dat"; }

# ctl ARGUMENT...: $out, $words and $rc.
ctl()
{
	rc=0
	out=$("$CTL" "$@" 2>words) || rc=$?
	words=$(<words)
}

two_attempts()
{
	attempt 0
	put 5
	attempt 1
}

runs__history_of_two_attempts()
{
	two_attempts
	ctl history
	equal "$rc" 0 "exit code"
	contains "$out" "LOST_STEPS"
	contains "$out" "state-5.dat"
	ctl history -p -h -o job,attempt,mode,from,cause
	equal "$out" "4711|0|fresh|(fresh)|-"$'\n'"4711|1|resume|state-5.dat|running?"
	ctl history --json ./checkpoints
	equal "$(jq -r '[.attempts[] | .mode, .attempt] | join(" ")' <<<"$out")" "fresh 0 resume 1"
	equal "$(jq '.sums.restarts, .torn' <<<"$out" | paste -sd' ')" "1 0"
}

# put_lease STATE: by another machine.
put_lease()
{
	cat >"$STATE/lease.json" <<-JSON
	{"version": 1, "run": "", "cluster": "c", "job_id": 4711, "attempt": 1, "host": "n7", "boot": "b",
	"pid_namespace": 1, "pid": 1, "started": 1, "counter": 1, "state": "$1"}
	JSON
}

# An attempt that was refused is over, and looks it: nothing runs.
runs__history_of_a_refused_attempt()
{
	attempt 0
	printf '%s\n' '{"event":"decision","job_id":4712,"attempt":0,"mode":"refused","refusal":64,"line":"no"}' \
		>>"$STATE/ledger.jsonl"
	ctl history -p -h -o job,mode,cause
	contains "$out" "4712|refused|refused"
	lacks "$out" "4712|refused|running?"
	printf '%s\n' '{"event":"decision","job_id":0,"attempt":0,"mode":"fresh","line":"by hand"}' >>"$STATE/ledger.jsonl"
	ctl history -p -h -o job,mode
	contains "$out" "-|fresh"
}

runs__history_says_who_holds_the_lease()
{
	two_attempts
	put_lease held
	ctl history -h -o attempt
	contains "$words" "attempt 1 of job 4711 on n7 holds the lease of '$PWD/checkpoints'"
	ctl history --json
	equal "$(jq -c '.leases[] | [.job_id, .attempt, .host]' <<<"$out")" '[4711,1,"n7"]'
	put_lease released
	ctl history -h -o attempt
	lacks "$words" lease
	ctl history --json
	equal "$(jq -c .leases <<<"$out")" '[]'
	echo '{' >"$STATE/lease.json"
	ctl history -h -o attempt
	equal "$rc" 0 "exit code with a torn lease"
}

runs__history_by_job()
{
	two_attempts
	ctl history 4711 -p -h -o attempt
	equal "$rc/$out" "0/0"$'\n'1
	ctl history 4712
	equal "$rc/$out" "1/"
	contains "$words" "job 4712 has no attempt"
	rc=0
	out=$(cd / && CKPT_DIR=$WORK/checkpoints "$CTL" history 4711 -p -h -o attempt) || rc=$?
	equal "$rc/$out" "0/0"$'\n'1 "by CKPT_DIR"
	ctl history 99_1
	equal "$rc" 1 "exit code without the task's directory"
	mkdir checkpoints/99_1
	cp -r "$STATE" checkpoints/99_1
	ctl history 99_1 -p -h -o attempt
	equal "$rc/$out" "0/0"$'\n'1 "an array's task"
	cd checkpoints/99_1
	ctl history 4711
	equal "$rc" 1 "exit code without a directory to look in"
}

runs__history_says_what_is_missing()
{
	mkdir checkpoints
	ctl history
	equal "$rc" 1
	contains "$words" "no run has begun there"
	two_attempts
	printf 'torn\n{"a":1}\n{"event":' >>"$STATE/ledger.jsonl"
	ctl history -p -h -o attempt
	equal "$rc/$out" "0/0"$'\n'1
	contains "$words" "2 lines of the ledger are torn"
	contains "$words" "1 lines of the ledger are of no attempt"
	ctl history --format=nothing
	equal "$rc" 2 "an unknown column"
	ctl history a b
	equal "$rc" 2 "two directories"
	rm -r "$STATE"
	touch "$STATE"
	ctl history
	equal "$rc" 3 "exit code of what cannot be read"
}

runs__history_cleans_hostile_names()
{
	two_attempts
	printf '%s\n' '{"event":"decision","job_id":9,"attempt":0,"cluster":"c\u001b[31m","mode":"resume","path":"/x/a\u001b]0;b|c\nd"}' \
		>>"$STATE/ledger.jsonl"
	ctl history 9
	equal "$rc" 0
	[[ $out != *$'\033'* ]] || fail "an escape sequence reached the terminal"
	ctl history 9 -p -h -o from
	equal "$out" 'a\x1b]0;b\x7cc\x0ad'
}

# Four runs of three jobs, one of which has the number of another.
four_runs()
{
	mkdir -p "$STATE"
	cat >"$STATE/ledger.jsonl" <<-'EOF'
	{"event":"decision","job_id":7,"cluster":"c","attempt":0,"node":"n1","run":"r1","reason":"first-start","mode":"fresh","path":"","at":"2026-01-01T10:00:00Z"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","run":"r1","name":"a","verdict":"valid","epoch":2,"step":100,"at":"2026-01-01T10:10:00Z"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","run":"r1","name":"b","verdict":"valid","epoch":4,"step":200,"at":"2026-01-01T10:15:00Z"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","run":"r1","name":"c","verdict":"corrupt","problem":"checksum","epoch":6,"step":300,"at":"2026-01-01T10:20:00Z"}
	{"event":"requeue","job_id":7,"cluster":"c","attempt":0,"run":"r1","why":"stall","at":"2026-01-01T10:24:00Z"}
	{"event":"end","job_id":7,"cluster":"c","attempt":0,"node":"n1","run":"r1","cause":"preempted","path":"/x/b","epoch":6,"step":300,"at":"2026-01-01T10:25:00Z"}
	{"event":"decision","job_id":7,"cluster":"c","attempt":1,"node":"n2","run":"r1","reason":"preempted","mode":"resume","path":"/x/b","evidence":"seal","epoch":4,"step":200,"at":"2026-01-01T10:30:00Z"}
	{"event":"decision","job_id":7,"cluster":"c","attempt":2,"node":"n2","run":"r1","reason":"node-fail","mode":"resume","path":"/x/dir/","evidence":"seal","epoch":4,"step":200,"at":"2026-01-01T10:30:00Z"}
	{"event":"end","job_id":7,"cluster":"c","attempt":2,"node":"n2","run":"r1","cause":"finished","step":300,"epoch":6,"at":"2026-01-01T10:50:00Z"}
	{"event":"decision","job_id":9,"cluster":"c","attempt":0,"node":"n3","run":"r2","reason":"first-start","mode":"fresh","path":"","at":"2026-01-01T11:00:00Z"}
	{"event":"decision","job_id":10,"cluster":"c","attempt":0,"node":"n3","run":"r3","mode":"fresh","path":"","at":"2026-01-01T12:00:00Z"}
	{"event":"checkpoint","job_id":10,"cluster":"c","attempt":0,"node":"n3","run":"r3","name":"d","verdict":"valid","evidence":"seal","epoch":5,"at":"2026-01-01T12:10:00Z"}
	{"event":"end","job_id":10,"cluster":"c","attempt":0,"node":"n3","run":"r3","cause":"stalled","at":"2026-01-01T12:20:00Z"}
	{"event":"decision","job_id":10,"cluster":"c","attempt":1,"node":"n3","run":"r3","reason":"stalled","mode":"resume","path":"/x/e","evidence":"seal","epoch":3,"at":"2026-01-01T12:20:00Z"}
	{"event":"decision","job_id":9,"cluster":"c","attempt":0,"node":"n3","run":"r4","mode":"fresh","path":"","at":"2026-01-01T13:00:00Z"}
	EOF
}

runs__history_in_its_columns()
{
	four_runs
	ctl history -p -h -o job,attempt,reason,mode,from,evidence,cause,to,reached,node,run
	equal "$rc" 0
	equal "$out" "7|0|first-start|fresh|(fresh)|-|preempted|b|epoch 6, step 300|n1|r1
7|1|preempted|resume|b|seal|(node-fail)|-|epoch 4, step 200|n2|r1
7|2|node-fail|resume|/x/dir/|seal|finished|-|epoch 6, step 300|n2|r1
9|0|first-start|fresh|(fresh)|-|running?|-|-|n3|r2
10|0|-|fresh|(fresh)|-|stalled|d|epoch 5|n3|r3
10|1|stalled|resume|e|seal|running?|-|epoch 3|n3|r3
9|0|-|fresh|(fresh)|-|running?|-|-|n3|r4"
	ctl history -p -h -o began,ended,ran,waited,lost_steps,lost_epochs,lost_time,valid,rejected
	equal "$out" "2026-01-01T10:00:00|2026-01-01T10:25:00|25m00s|-|-|-|-|2|1
2026-01-01T10:30:00|-|-|~5m00s|100|2|~10m00s|0|0
2026-01-01T10:30:00|2026-01-01T10:50:00|20m00s|-|0|0|-|0|0
2026-01-01T11:00:00|-|-|-|-|-|-|0|0
2026-01-01T12:00:00|2026-01-01T12:20:00|20m00s|-|-|-|-|1|0
2026-01-01T12:20:00|-|-|0s|-|2|-|0|0
2026-01-01T13:00:00|-|-|-|-|-|-|0|0"
}

# One of the directories that a job is looked for in cannot be read: what the other has is shown, and that is said.
runs__history_in_part()
{
	two_attempts
	mkdir -p other
	touch other/.ckpt-resume
	CKPT_DIR=$PWD/other ctl history 4711 -p -h -o attempt
	equal "$rc/$out" "3/0"$'\n'1 "by two directories"
	contains "$words" "not all could be read"
	CKPT_DIR=$PWD/other ctl history 4711 --json
	equal "$rc" 3 "exit code of JSON"
	ctl history 4712
	lacks "$words" "and the default directory"
	rm other/.ckpt-resume
	CKPT_DIR=$PWD/other ctl history 4712
	contains "$words" "and the default directory"
	ctl history 99_0
	contains "$words" "neither checkpoints/99_0 nor"
	mkdir checkpoints/99_0
	cp -r "$STATE" checkpoints/99_0
	ctl history 99_0 -p -h -o attempt
	equal "$rc/$out" "0/0"$'\n'1 "an array's first task"
}

# Each event once, however often it looks.
runs__watch_tells_each_once()
{
	local pid rc=0
	four_runs
	"$CTL" watch >lines 2>words &
	pid=$!
	wait_for "T13:00:00Z" lines
	printf '%s\n' '{"event":"end","job_id":9,"cluster":"c","attempt":0,"run":"r4","cause":"finished","at":"2026-01-01T13:10:00Z"}' \
		>>"$STATE/ledger.jsonl"
	wait_for "T13:10:00Z" lines
	kill -TERM "$pid"
	wait_end "$pid" || rc=$?
	equal "$rc" 0 "exit code at SIGTERM"
	equal "$(<lines)" "2026-01-01T10:00:00Z job 7 attempt 0: started (first-start): fresh
2026-01-01T10:10:00Z job 7 attempt 0: checkpoint a, epoch 2, step 100: valid
2026-01-01T10:15:00Z job 7 attempt 0: checkpoint b, epoch 4, step 200: valid
2026-01-01T10:20:00Z job 7 attempt 0: checkpoint c, epoch 6, step 300: corrupt checksum
2026-01-01T10:24:00Z job 7 attempt 0: requeue: stall
2026-01-01T10:25:00Z job 7 attempt 0: ended: preempted, newest valid b
2026-01-01T10:30:00Z job 7 attempt 1: started (preempted): resume /x/b, about 100 steps again
2026-01-01T10:30:00Z job 7 attempt 2: started (node-fail): resume /x/dir/, about 0 steps again
2026-01-01T10:50:00Z job 7 attempt 2: ended: finished
2026-01-01T11:00:00Z job 9 attempt 0: started (first-start): fresh
2026-01-01T12:00:00Z job 10 attempt 0: started (unknown): fresh
2026-01-01T12:10:00Z job 10 attempt 0: checkpoint d, epoch 5: valid seal
2026-01-01T12:20:00Z job 10 attempt 0: ended: stalled, newest valid d
2026-01-01T12:20:00Z job 10 attempt 1: started (stalled): resume /x/e
2026-01-01T13:00:00Z job 9 attempt 0: started (unknown): fresh
2026-01-01T13:10:00Z job 9 attempt 0: ended: finished"
	"$CTL" watch 10 >lines 2>words &
	pid=$!
	wait_for "job 10 attempt 1: started" lines
	kill -INT "$pid"
	wait_end "$pid"
	lacks "$(<lines)" "job 7"
	rc=0
	timeout 60 "$CTL" watch >/dev/full 2>words || rc=$?
	equal "$rc" 3 "exit code at a full disk"
}

# wait_for TEXT FILE: until it is there, a minute at most.
wait_for()
{
	local i
	for ((i = 0; i < 600; i++)); do
		! grep -qF -- "$1" "$2" || return 0
		sleep 0.1
	done
	fail "no '$1' in $2: $(<"$2")"
}

runs__watch_follows()
{
	local pid rc=0
	"$CTL" watch >lines 2>words &
	pid=$!
	sleep 0.5
	two_attempts
	wait_for "job 4711 attempt 1: started" lines
	wait_for "state-5.dat" lines
	printf '%s\n' '{"event":"checkpoint","job_id":4711,"cluster":"test","attempt":1,"name":"s\u001b-6","verdict":"corrupt","problem":"checksum","step":6}' \
		'{"event":"end","job_id":4711,"cluster":"test","attempt":1,"cause":"preempted"}' >>"$STATE/ledger.jsonl"
	wait_for "checkpoint s?-6, step 6: corrupt checksum" lines
	wait_for "attempt 1: ended: preempted" lines
	equal "$(grep -c started lines)" 2 "lines that tell of a start"
	# a background job of a shell begins with SIGINT ignored: signalfd takes it all the same
	kill -INT "$pid" 2>/dev/null || fail "it has ended by itself"
	wait_end "$pid" || rc=$?
	equal "$rc" 0 "exit code at SIGINT"
}

# wait_end PID: its exit code; after half a minute it is killed.
wait_end()
{
	local i
	for ((i = 0; i < 300; i++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1"
}

# A run with all that a picture can show, and names that are made to break a page.
hostile_run()
{
	mkdir -p "$STATE"
	cat >"$STATE/ledger.jsonl" <<-'EOF'
	{"event":"decision","job_id":7,"cluster":"c","attempt":0,"node":"n1","mode":"fresh","path":"","at":"2026-01-01T10:00:00Z"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","name":"<script>alert(1)</script>","verdict":"valid","step":100,"at":"2026-01-01T10:10:00Z"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","name":"\"onload='x'&amp;","verdict":"corrupt","problem":"checksum","step":200,"at":"2026-01-01T10:20:00Z"}
	{"event":"end","job_id":7,"cluster":"c","attempt":0,"node":"n1","cause":"<b>\u001b[31m","step":100,"at":"2026-01-01T10:25:00Z"}
	{"event":"decision","job_id":7,"cluster":"c","attempt":1,"node":"n1","mode":"resume","path":"/x/<script>alert(1)</script>","step":100,"at":"2026-01-01T10:30:00Z"}
	{"event":"end","job_id":7,"cluster":"c","attempt":1,"node":"n1","cause":"finished","step":300,"at":"2026-01-01T10:50:00Z"}
	EOF
}

runs__report_is_a_page()
{
	local name
	hostile_run
	ctl report -o page.html
	equal "$rc/$out" "0/" "exit code: $words"
	python3 "$TEST_SRC/tests/cli/report_page.py" page.html >seen || fail "no page"
	for name in "running 2" "waiting 1" "lost 1" "saved 1" "rejected 1" "60.0 %" \
		"<script>alert(1)</script>: valid" "\"onload='x'&amp;: corrupt checksum"; do
		grep -qxF -- "$name" seen || fail "the page has no '$name': $(<seen)"
	done
	! grep -qE '<script|<b>|https?://' <(grep -v 'xmlns=' page.html) || fail "not escaped"
	! grep -q $'\033' page.html || fail "a control character"
	ctl report
	equal "$rc" 2 "exit code without -o"
	ctl report 8 -o other.html
	equal "$rc" 1 "exit code of an unknown job"
	[[ ! -e other.html ]] || fail "a page about nothing"
}

# Its companion saw one whole and never saw another; the next start rejected both.
runs__what_a_start_rejected()
{
	hostile_run
	sed -i '/"attempt":1.*decision\|decision.*"attempt":1/s/"step":100/&,"rejected":[{"name":"<script>alert(1)<\/script>","verdict":"corrupt","problem":"checksum"},{"name":"c","verdict":"incomplete","problem":"truncated"}]/' \
		"$STATE/ledger.jsonl"
	ctl history --json
	equal "$(jq -c '.attempts[0] | .valid, .rejected, (.checkpoints[] | [.verdict, .problem])' <<<"$out" | paste -sd' ')" \
		'0 3 ["corrupt","checksum"] ["corrupt","checksum"] ["incomplete","truncated"]'
	ctl report -o page.html
	equal "$(grep -c '<circle class="rejected" [^>]*r="4"' page.html)" 3 "marks"
	contains "$(<page.html)" "0 valid, 3 rejected"
}

runs__report_goes_where_it_is_told()
{
	local file

	hostile_run
	mkdir -p sub/dir deep
	for file in page.html sub/x.html sub/dir/../y.html "$PWD/sub/dir/z.html" ./sub//dir/v.html; do
		ctl report -o "$file"
		equal "$rc/$words" 0/ "exit code of $file"
		grep -qF '</html>' "$file" || fail "no page in $file"
	done
	cd deep
	ctl report ../checkpoints -o ../sub/up.html
	cd ..
	equal "$rc" 0 "exit code of a name with .."
	grep -qF '</html>' sub/up.html || fail "no page beside"
	echo old >sub/x.html
	ctl report -o sub/x.html
	grep -qF '</html>' sub/x.html || fail "an old page is not replaced"
	equal "$(find . -name '*.html' | sort | paste -sd' ')" \
		"./page.html ./sub/dir/v.html ./sub/dir/z.html ./sub/up.html ./sub/x.html ./sub/y.html" "pages"
	ctl report -o missing/x.html
	equal "$rc" 3 "exit code of a directory that is missing"
	contains "$words" "cannot open directory 'missing/': No such file"
	ctl report -o "$PWD/missing/x.html"
	equal "$rc" 3 "exit code of one that is missing, absolute"
	ctl report -o sub/
	equal "$rc" 3 "exit code of a directory's name"
	ctl report -o sub/dir
	equal "$rc" 3 "exit code of a directory"
	equal "$(find . -name '*.tmp')" "" "temporaries"
}

runs__report_draws_the_loss()
{
	local i

	hostile_run
	ctl report -o page.html
	! grep -q polyline page.html || fail "a curve of nothing"
	for i in 1 2 3; do
		echo '{"event":"checkpoint","job_id":7,"cluster":"c","attempt":0,"node":"n1","name":"a'$i'","verdict":"valid","step":'$i'00,"loss":0.'$i',"loss_key":"<loss>","at":"2026-01-01T10:1'$i':00Z"}'
	done >>"$STATE/ledger.jsonl"
	# of another score, rejected, and without a place: not drawn
	cat >>"$STATE/ledger.jsonl" <<-'EOF'
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":1,"node":"n1","name":"b","verdict":"valid","step":100,"loss":9,"loss_key":"accuracy"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":1,"node":"n1","name":"c","verdict":"corrupt","step":200,"loss":8,"loss_key":"<loss>"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":1,"node":"n1","name":"d","verdict":"valid","loss":7,"loss_key":"<loss>"}
	{"event":"checkpoint","job_id":7,"cluster":"c","attempt":1,"node":"n1","name":"e","verdict":"valid","step":300,"loss":0.25,"loss_key":"<loss>"}
	EOF
	ctl report -o page.html
	contains "$(<page.html)" '&#60;loss&#62; by step'
	equal "$(grep -o 'points="[^"]*"' page.html)" \
		'points="110.0,190.0 540.0,100.0 970.0,10.0 "'$'\n''points="970.0,55.0 "' "the curve"
	contains "$(<page.html)" '.loss{fill:none;stroke:#' # without a rule it is a black area
}

# A browser has the last word on what is drawn.
runs__report_in_a_browser()
{
	local browser
	browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
		skip_case "no chromium is installed"
	hostile_run
	ctl report -o page.html
	timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync \
		--user-data-dir="$WORK/profile" --dump-dom "file://$PWD/page.html" >dom 2>browser.log ||
		fail "the browser: $(tail -n 1 browser.log)"
	equal "$(grep -o '<rect class="[a-z]*"' dom | sort | uniq -c | awk '{ print $1, $3 }' | paste -sd,)" \
		'2 class="lost",3 class="running",2 class="waiting"' "bars in the browser"
	! grep -q '<script' dom || fail "a script in the browser's tree"
}

for name in $(declare -F | sed -n 's/^declare -f \(runs__.*\)/\1/p'); do
	rm -rf "$WORK" && mkdir "$WORK" && cd "$WORK"
	run_case "$name"
done
test_end
