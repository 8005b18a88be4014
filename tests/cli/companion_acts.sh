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
	cat >"$LIB/ckpt-jobinfo" <<-SCRIPT
	#!/bin/bash
	echo "\$*" >>'$PWD/asked'
	[[ ! -e '$PWD/before-'\$1 ]] || . '$PWD/before-'\$1
	[[ \$1 != show ]] || exec cat '$PWD/answer'
	SCRIPT
	chmod 755 "$LIB/ckpt-jobinfo"
	touch asked
}

# hangs OPTIONS...: a job in whose script a program hangs, that takes a second to end when it is told to: $pid.
hangs()
{
	cat >program <<-'SCRIPT'
	trap 'echo told; sleep 1; echo left; exit 0' TERM
	echo waits
	for ((i = 0; i < 30; i++)); do sleep 1 & wait $!; done
	SCRIPT
	mkdir checkpoints
	env "${JOB[@]}" bash -c "eval \"\$($CTL env)\"; $CTL companion --stall=3s $*; bash program; echo went on" \
		>said 2>words &
	pid=$!
	soon grep -qx waits said || fail "the job does not begin: $(<words)"
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

noted() { jq -r 'select(.event == "requeue") | .why' checkpoints/.ckpt-resume/ledger.jsonl; }

is_stopped() { [[ $(ps -o stat= -p "$pid") == T* ]]; }
went_on() { grep -qx 'went on' said; }

# It was ended by its owner while its program saved: nobody brings it back.
companion_acts__cancelled_meanwhile()
{
	controller running
	hangs
	soon grep -qx told said || fail "it was not told: $(<words)"
	controller cancelled
	soon has_said "was cancelled" || fail "it was not seen: $(<words)"
	lacks "$(<asked)" requeue
	soon went_on || fail "the script stays stopped"
}

# A job that runs is requeued as one that runs, so that one that ends at this moment is not.
companion_acts__requeued_while_it_runs()
{
	controller running
	hangs
	soon grep -qx "requeue-running 4711" asked || fail "asked: $(<asked), said: $(<words)"
	kill -CONT "$pid"
	wait "$pid" || true
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
	hangs
	soon is_stopped || fail "the script is not stopped: $(<words)"
	kill -KILL "$(companion)"
	soon went_on || fail "the script is $(ps -o stat= -p "$pid")"
	wait "$pid" || fail "the script ended with $?"
}

# What the job's programs are told is not for it.
companion_acts__signals_are_not_its_own()
{
	local name before
	controller running
	hangs
	before=$(companion)
	for name in TERM INT HUP USR1 USR2 QUIT; do
		kill -s "$name" "$before"
	done
	soon grep -qx told said || fail "it was not told: $(<words)"
	equal "$(companion)" "$before" "the companion"
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
