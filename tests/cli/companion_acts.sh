#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the companion does to a job that is stuck, where slurmctld is a script: a job that was cancelled meanwhile, one
# that may not be requeued, and the end of the companion itself at a bad moment.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

LIB=$TEST_TMP/lib
CTL=$LIB/ckptctl
unset "${!SLURM_@}" "${!CKPT_@}"
# In the script's environment alone: what this test does itself would be work of the job.
JOB=(SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=tc SLURMD_NODENAME=n1 SLURM_JOB_NUM_NODES=1)
mkdir "$LIB"
cp "$TEST_BUILD"/{ckptctl,ckpt-companion} "$LIB"

# controller STATE [WORD...]: what slurmctld says of the job from now on; its calls are noted in `asked`. Before it
# answers a VERB it runs the line in the file before-VERB.
controller()
{
	echo "job=4711 state=$1 completing=0 restart=0 preempt=0${2:+ ${*:2}} end=1" >answer
	cat >"$LIB/.ckpt-jobinfo" <<-SCRIPT
	#!/bin/bash
	echo "\$*" >>'$PWD/asked'
	[[ ! -e '$PWD/before-'\$1 ]] || . '$PWD/before-'\$1
	[[ \$1 != show ]] || exec cat '$PWD/answer'
	SCRIPT
	chmod 755 "$LIB/.ckpt-jobinfo"
	mv "$LIB/.ckpt-jobinfo" "$LIB/ckpt-jobinfo" # one that is being started may not be written to
	touch asked
}

# begins OPTIONS...: a job in whose script `program` runs, and that has a companion with these options: $pid. What the
# script does first is in `before`.
begins()
{
	mkdir checkpoints
	touch before
	env "${JOB[@]}" bash -c "eval \"\$($CTL env --glob='state-*')\"; . ./before; $CTL companion --glob='state-*' $*
		bash program; echo went on" >said 2>words &
	pid=$!
	soon grep -qx waits said || fail "the job does not begin: $(<words)"
}

# hangs OPTIONS...: the same with a program that hangs, and takes a second to end when it is told to; with the file
# `hold` until that is gone.
hangs()
{
	cat >program <<-'SCRIPT'
	trap 'echo told; sleep 1; while [[ -e hold ]]; do sleep 0.1; done; echo left; exit 0' TERM
	echo waits
	for ((i = 0; i < 30; i++)); do sleep 1 & wait $!; done
	SCRIPT
	begins --stall=3s "$@"
}

has_said() { grep -qF -- "$1" words; }

# companion: the pid of its first process.
companion()
{
	local dir
	for dir in /proc/[0-9]*; do
		[[ $(cat "$dir/comm" 2>/dev/null) == ckpt-companion ]] || continue
		grep -qszFx "CKPT_COMPANION_TASK=$pid" "$dir/environ" || continue
		[[ $(cat "/proc/$(ps -o ppid= -p "${dir#/proc/}" | tr -d ' ')/comm") == ckpt-companion ]] || echo "${dir#/proc/}"
	done
}

# of_companion: all processes of the script's companion.
of_companion()
{
	local file
	for file in /proc/[0-9]*/environ; do
		! grep -qszFx "CKPT_COMPANION_TASK=$pid" "$file" || echo "${file//[!0-9]/}"
	done
}

none_left() { [[ -z $(of_companion) ]]; }

# scores: how likely its processes are to be killed where memory is short: "NUMBER SCORE" a line.
scores()
{
	local one
	for one in $(of_companion); do
		cat "/proc/$one/oom_score_adj" 2>/dev/null || true
	done | sort -n | uniq -c | sed 's/^ *//'
}

# ends_alone: the script is killed, as slurmd would at a time limit; its companion is gone within five seconds.
ends_alone()
{
	local first end
	first=$(companion)
	kill -KILL $(pgrep -P "$pid") "$pid"
	end=$((${EPOCHREALTIME/./} + 5000000))
	wait "$pid" || true
	[[ -n $first ]] || fail "no companion runs: $(<words)"
	while [[ -d /proc/$first ]]; do
		((${EPOCHREALTIME/./} < end)) || late "the companion outlives its script by 5 s: $(<asked)"
		sleep 0.1
	done
	soon none_left || fail "left of it: $(of_companion)"
}

ledger() { jq -c "select(.event == \"$1\") | $2" checkpoints/.ckpt-resume/ledger.jsonl; }
noted() { ledger requeue .why | tr -d '"'; }

# asked_times N VERB: slurmctld was asked that so often.
asked_times() { [[ $(grep -cx "$2 4711" asked) == "$1" ]]; }

# is_told_to_end: the script has a SIGTERM, which it gets once it is continued.
is_told_to_end() { (($(sed -n 's/^ShdPnd:\t/0x/p' "/proc/$pid/status") & 1 << 14)); }

# is_brought_back: the script, which is stopped, is ended, and does not begin its next command.
is_brought_back()
{
	local rc=0
	soon is_told_to_end || fail "the script is not ended: $(<words)"
	kill -CONT "$pid"
	wait "$pid" || rc=$?
	equal "$rc" 143 "how the script ended"
	! went_on || fail "the script went on"
}

has_ended() { [[ $(ps -o stat= -p "$pid") == @(|Z*) ]]; }
is_stopped() { [[ $(ps -o stat= -p "$pid") == T* ]]; }
went_on() { grep -qx 'went on' said; }

# It was ended by its owner while its program saved: nobody brings it back.
companion_acts__cancelled_meanwhile()
{
	controller running
	touch hold
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	controller cancelled
	rm hold
	soon has_said "was cancelled" || fail "it was not seen: $(<words)"
	lacks "$(<asked)" requeue
	soon went_on || fail "the script stays stopped"
	equal "$(noted | paste -sd' ')" "stall refused" "what the epilog finds noted"
}

# One that was before that is not even told.
companion_acts__cancelled_before()
{
	controller cancelled
	hangs
	soon has_said "no sign of progress" || fail "nothing was seen: $(<words)"
	file_has words "; the job was cancelled"
	equal "$(noted)" "" "what the epilog finds noted"
	equal "$(<said)" waits "what its program says"
	kill "$pid"
}

# Its next attempt may be at work: it is not requeued once more, and this one is over.
companion_acts__requeued_meanwhile()
{
	controller running
	touch hold
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	sed -i 's/restart=0/restart=1/' answer
	rm hold
	is_brought_back
	lacks "$(<asked)" requeue
	lacks "$(<words)" "did not requeue"
}

# At its time limit while its program saved, before its script was killed.
companion_acts__requeued_when_it_has_ended()
{
	controller running
	touch hold
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	controller timeout
	rm hold
	soon grep -qx "requeue 4711" asked || fail "asked: $(<asked), said: $(<words)"
	is_brought_back
}

# A slurmctld that fails over is asked again. One that is suspended then has not ended.
companion_acts__asks_again()
{
	controller running
	echo "[[ -e '$PWD/failed' ]] || { touch '$PWD/failed'; exit 1; }" >before-requeue-running
	hangs
	soon test -e failed || fail "asked: $(<asked), said: $(<words)"
	controller suspended
	soon asked_times 2 requeue-running || fail "asked: $(<asked), said: $(<words)"
	is_brought_back
	lacks "$(<words)" "did not requeue"
}

# A job that runs is requeued as one that runs, so that one that ends at this moment is not.
companion_acts__requeued_while_it_runs()
{
	controller running
	hangs
	soon grep -qx "requeue-running 4711" asked || fail "asked: $(<asked), said: $(<words)"
	is_brought_back
	file_has said told
	file_has words "no new checkpoint was seen; requeueing the job"
}

# The epilog reads why the job is requeued from the ledger: what cannot be noted there is not done.
companion_acts__a_ledger_that_cannot_be_written()
{
	controller running
	echo 'cd checkpoints/.ckpt-resume && mv ledger.jsonl away && mkdir ledger.jsonl && cd ../..' >before
	hangs
	soon has_said "the ledger cannot be written, so the job is left alone: no sign of progress" || fail "said: $(<words)"
	equal "$(<said)" waits "what its program says"
	lacks "$(<asked)" requeue
	kill "$pid"
}

# A script that does something at the signal has a say in what comes next.
companion_acts__a_script_with_a_handler_is_not_stopped()
{
	controller running
	echo 'trap "echo caught" TERM' >before
	hangs
	soon went_on || fail "the script is $(ps -o stat= -p "$pid"): $(<words)"
	file_has said caught
}

# Who was stopped, as by `scontrol suspend`, does not hang.
companion_acts__a_suspended_job_is_not_stuck()
{
	local program
	controller running
	cat >program <<-'SCRIPT'
	trap 'echo told; exit 0' TERM
	echo waits
	kill -STOP $PPID $$
	while :; do sleep 1 & wait $!; done
	SCRIPT
	begins --stall=3s
	program=$(pgrep -P "$pid" -f program)
	soon is_stopped || fail "it is not stopped"
	sleep 8
	lacks "$(<words)" "no sign of progress"
	kill -CONT "$pid" "$program"
	soon has_said "no sign of progress" || fail "it was not seen when it went on"
	wait_for_end
}

# wait_for_end: ends the script and its program, in whatever state they are.
wait_for_end()
{
	kill -KILL $(pgrep -P "$pid") "$pid" 2>/dev/null || true
	wait "$pid" || true
}

# Signs of life: what the script says on standard error, and its heartbeat, which then counts alone.
companion_acts__errors_and_beats_are_signs()
{
	controller running
	cat >program <<-'SCRIPT'
	trap 'echo told; exit 0' TERM
	echo waits
	for ((i = 0; i < 20; i++)); do echo "error $i" >&2; sleep 0.5; done
	grep -c 'no sign of progress' words >signs
	for ((i = 0; i < 20; i++)); do touch "$CKPT_HEARTBEAT"; sleep 0.5; done
	grep -c 'no sign of progress' words >>signs
	while :; do echo more; sleep 0.5 & wait $!; done
	SCRIPT
	begins --stall=5s
	soon test -s signs || fail "it does not come so far: $(<words)"
	soon has_said "no sign of progress" || fail "output counts beside heartbeats"
	equal "$(paste -sd' ' signs)" "0 0" "times that it was taken for stuck"
	wait_for_end
}

# limited LEFT LIMIT OPTIONS...: a job that says twelve lines, hangs, and saves when it is told by USR1. Of its 25
# seconds slurmctld says that they are LEFT ("": as many as are), and of the whole limit that it is LIMIT.
limited()
{
	local end=$(($(date +%s) + 25))
	local JOB=("${JOB[@]}" "SLURM_JOB_END_TIME=$end")
	echo "left=${1:-\$(($end > \$(date +%s) ? $end - \$(date +%s) : 0))}; printf 'left=%s\nlimit=$2\n' \"\$left\"; exit" \
		>before-left
	cat >program <<-'SCRIPT'
	trap 'echo told; echo state >checkpoints/state-7; exit 0' USR1
	trap 'echo told otherwise; exit 0' TERM
	echo waits
	for ((i = 1; i <= 12; i++)); do echo "line $i"; done
	while :; do sleep 1 & wait $!; done
	SCRIPT
	begins "${@:3}"
}

companion_acts__saves_before_the_limit()
{
	controller running
	limited "" 3600 --before-limit=30s
	soon grep -qx "requeue-running 4711" asked || fail "asked: $(<asked), said: $(<words)"
	is_brought_back
	grep -qE 'the time limit is [1-9][0-9]?s away: 1 processes got signal 10' words || fail "said: $(<words)"
	file_has words "a checkpoint was saved; requeueing the job"
	equal "$(noted)" time-limit "what the epilog finds noted"
	equal "$(ledger limit '[.run, .n_processes > 1, (.output | length), .output[-1]]')" \
		"[$(ledger decision .run),true,10,\"line 12\"]" "the ledger"
	equal "$(ledger checkpoint .name)" '"state-7"' "what was saved"
}

# Where slurmctld knows of no limit any more nothing is done; nor where nothing would be left of it to work.
companion_acts__no_limit_to_save_before()
{
	local left
	controller running
	for left in "unlimited 3600" "25 30"; do
		rm -rf checkpoints
		# shellcheck disable=SC2086  # two words
		limited $left --before-limit=30s --stall=8s
		soon grep -q told said || fail "its hanging was not seen: $(<words)"
		file_has said "told otherwise"
		file_has asked "left 4711"
		lacks "$(<words)" "the time limit is 2"
		if [[ $left == 25* ]]; then
			file_has words "time limit is 30s, and --ckpt-before-limit=30s is not less: nothing is done before it"
		fi
		wait_for_end
		soon none_left || fail "left of it: $(of_companion)"
	done
}

companion_acts__may_not_be_requeued()
{
	controller running no_requeue=1
	hangs
	soon has_said "so the job is left alone" || fail "said: $(<words)"
	sleep 5
	equal "$(<said)" waits "what its program says"
	equal "$(grep -c 'no sign of progress' words)" 1 "times that it was told"
	lacks "$(<asked)" requeue
	kill "$pid"
}

# It is the first to be killed where memory is short: its job does not wait for it for ever.
companion_acts__killed_while_the_script_is_stopped()
{
	controller running
	touch hold
	hangs
	soon is_stopped || fail "the script is not stopped: $(<words)"
	equal "$(cat "/proc/$(companion)/oom_score_adj")" 1000 "how likely the companion is to be killed"
	contains "$(scores)" "2 $(</proc/self/oom_score_adj)" # the guard, and the keeper of the lease
	kill -KILL "$(companion)"
	rm hold
	soon went_on || fail "the script is $(ps -o stat= -p "$pid")"
	wait "$pid" || fail "the script ended with $?"
	soon none_left || fail "left of it: $(of_companion)"
}

# leases: whether the companion has the lease, and what it says of itself there.
leases() { jq -r '"\(.attempt) of \(.job_id) on \(.host) \(.state)"' checkpoints/.ckpt-resume/lease.json 2>/dev/null; }
has_lease() { [[ $(leases) == "1 of 4711 on n1 held" ]]; }

# A later attempt has the lease: this one runs on a node that was given up. Nothing of it saves any more, and its script
# does not go on.
companion_acts__given_up_for_a_later_attempt()
{
	local rc=0
	JOB+=(SLURM_RESTART_COUNT=1)
	controller running
	cat >program <<-'SCRIPT'
	trap 'echo told' TERM
	echo waits
	while :; do sleep 1; done
	SCRIPT
	begins
	soon has_lease || fail "the lease: $(leases)"
	cat >lease <<-JSON
	{"version": 1, "run": "", "cluster": "tc", "job_id": 4711, "attempt": 2, "host": "n2", "boot": "b",
	"pid_namespace": 1, "pid": 1, "started": 1, "counter": 1, "state": "held"}
	JSON
	mv lease checkpoints/.ckpt-resume/lease.json
	soon has_ended || fail "the script is $(ps -o stat= -p "$pid")"
	wait "$pid" || rc=$?
	equal "$rc" 137 "how the script ended: $(<words)"
	equal "$(<said)" waits "what its programs said"
	file_has words "attempt 2 of job 4711 on n2 has the lease: this one, attempt 1 on n1, was given up and is ended"
	equal "$(ledger lease-lost .why)" '"attempt 2 of job 4711 on n2 has the lease"' "the ledger"
	soon none_left || fail "left of it: $(of_companion)"
	equal "$(leases)" "2 of 4711 on n2 held" "the lease"
}

# What the job's programs are told is not for it.
companion_acts__signals_are_not_its_own()
{
	local name before
	controller running
	touch hold
	hangs
	before=$(companion)
	for name in TERM INT HUP USR1 USR2 QUIT; do
		kill -s "$name" "$before"
	done
	soon grep -qx told said || fail "it was not told: $(<words)"
	equal "$(companion)" "$before" "the companion"
	rm hold
	kill -CONT "$pid"
	kill "$pid"
}

# A slurmctld that does not answer holds nobody beyond the end of the script, whatever it is asked at that moment.
companion_acts__ends_with_the_script_while_it_asks()
{
	local verb
	for verb in show requeue-running; do
		rm -rf ./*
		controller running
		echo 'exec sleep 60' >"before-$verb"
		hangs
		soon grep -qx "$verb 4711" asked || fail "asked: $(<asked), said: $(<words)"
		ends_alone
	done
	file_has words "requeued where there are hooks, by the epilog"
	equal "$(noted)" stall "what the epilog finds noted"
}

# The same where it begins to ask after that end.
companion_acts__asks_in_vain_after_the_end()
{
	rm -rf ./*
	controller running
	touch hold
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	echo 'exec sleep 60' >before-show
	ends_alone
	equal "$(noted)" stall "what the epilog finds noted"
}

# Who answers in time is listened to.
companion_acts__requeued_after_the_end()
{
	rm -rf ./*
	controller running
	touch hold
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	echo 'sleep 0.3' >before-show
	ends_alone
	equal "$(tail -n 1 asked)" "requeue 4711" "what slurmctld was asked last"
	equal "$(noted)" stall
}

for name in $(declare -F | sed -n 's/^declare -f \(companion_acts__.*\)/\1/p'); do
	mkdir "$TEST_TMP/$name" && cd "$TEST_TMP/$name"
	run_case "$name"
done
test_end
