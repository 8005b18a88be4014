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
export SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=tc SLURMD_NODENAME=n1 SLURM_JOB_NUM_NODES=1
mkdir "$LIB"
cp "$TEST_BUILD"/{ckptctl,ckpt-companion} "$LIB"

# controller STATE [WORD...]: what slurmctld says of the job from now on; its calls are noted in `asked`.
controller()
{
	echo "job=4711 state=$1 completing=0 restart=0 preempt=0${2:+ ${*:2}} end=1" >answer
	cat >"$LIB/ckpt-jobinfo" <<-SCRIPT
	#!/bin/bash
	echo "\$*" >>'$PWD/asked'
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
	bash -c "eval \"\$($CTL env)\"; $CTL companion --stall=3s $*; bash program; echo went on" >said 2>words &
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

for name in $(declare -F | sed -n 's/^declare -f \(companion_acts__.*\)/\1/p'); do
	mkdir "$TEST_TMP/$name" && cd "$TEST_TMP/$name"
	run_case "$name"
done
test_end
