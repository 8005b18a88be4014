#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever the agent or the worker does, the hook exits 0 within its budget and a second, and leaves nothing behind.
. "$(dirname "$0")/lib.bash"
hook_setup

# budget_kept KIND HOOK: with a budget of one second.
budget_kept()
{
	hook_site "$1" PrologBudget=1 EpilogBudget=1
	fake_jobinfo ''
	[[ $2 == prolog ]] || put_status 256
	hook_timed 2 "$2" SLURM_JOB_EXIT_CODE2=0:0
	[[ $2 == epilog || $1 == forker ]] || no_decision
	no_agents_left
}

# Output that nobody reads, or that is closed, is no reason to fail.
no_output_wanted()
{
	local -a env
	mapfile -t env < <(hook_env)
	hook_site crasher PrologBudget=1
	exits 0 env -i "${env[@]}" "$HOOK_BIN" prolog >&- 2>&- <&-
	exits 0 env -i "${env[@]}" "$HOOK_BIN" prolog 2>/dev/full
	env -i "${env[@]}" "$HOOK_BIN" prolog 2> >(exec true)
	equal "$?" 0 "exit code with a closed pipe"
}

# unread NAME=VALUE...: a hook whose lines nobody takes, as those of a dead syslog, ends all the same.
unread()
{
	timeout -s KILL 6 env --block-signal=ALRM -i "${env[@]}" "$@" "$HOOK_BIN" prolog 2>&9 ||
		fail "ended with $?"
}

output_is_never_read()
{
	local -a env
	local try
	mapfile -t env < <(hook_env)
	hook_site crasher PrologBudget=1
	mkfifo "$TEST_TMP/full"
	exec 9<>"$TEST_TMP/full"
	dd if=/dev/zero of="$TEST_TMP/full" oflag=nonblock bs=4k 2>/dev/null || true
	unread
	for try in {1..4}; do # the line comes before the supervisor has looked once, or after
		unread SLURM_JOB_UID=0 TRY="$try"
	done
}

# slurmd waits for the end of the hook's output too: nobody else may hold it.
output_ends_with_the_hook()
{
	local -a env
	local begin
	mapfile -t env < <(hook_env)
	hook_site forker PrologBudget=1
	begin=$(date +%s%N)
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>&1 | cat >/dev/null
	(($(date +%s%N) - begin < 2000000000)) || late "the output stayed open"
	no_agents_left
}

hook_pids() { pgrep -f "^$HOOK_BIN" || true; }

# Prints the pid of the worker below the supervisor $1.
worker_of()
{
	local try pid
	for try in {1..1000}; do
		pid=$(pgrep -P "$1" -f "^$HOOK_BIN" || true)
		[[ -z $pid || -z $(agents_left) ]] || break
		sleep 0.02
	done
	[[ -n $pid ]] || fail "no worker after $try looks"
	echo "$pid"
}

# in_background SIGNAL worker|supervisor WITHIN-MS: the hook gets it while its agent is stopped.
in_background()
{
	local -a env
	local pid rc=0 begin target
	mapfile -t env < <(hook_env)
	hook_site stopped PrologBudget=30
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>"$TEST_TMP/hook.err" &
	pid=$!
	target=$(worker_of "$pid")
	[[ $2 == worker ]] || target=$pid
	begin=$(date +%s%N)
	kill "-$1" "$target"
	wait "$pid" || rc=$?
	equal "$rc" 0 "exit code"
	(($(date +%s%N) - begin < $3 * 1000000)) || late "took too long"
	no_decision
	no_agents_left
	[[ -z $(hook_pids) ]] || fail "processes of the hook are left"
}

worker_crashes()
{
	in_background ABRT worker 1000
	hook_said "the worker died of signal 6"
}

worker_is_killed() { in_background KILL worker 1000; }

# slurmd's own time-out: SIGTERM, and ten milliseconds later SIGKILL to the group.
told_to_end()
{
	in_background TERM supervisor 1000
	hook_said "told to end"
}

worker_is_stopped()
{
	local -a env
	local pid rc=0 begin
	mapfile -t env < <(hook_env)
	hook_site stopped PrologBudget=1
	begin=$(date +%s%N)
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>"$TEST_TMP/hook.err" &
	pid=$!
	kill -STOP "$(worker_of "$pid")"
	wait "$pid" || rc=$?
	equal "$rc" 0 "exit code"
	(($(date +%s%N) - begin < 2000000000)) || late "took too long"
	hook_said "out of time"
	no_agents_left
}

agents_die_with_a_killed_hook()
{
	local -a env
	local pid
	mapfile -t env < <(hook_env)
	hook_site stopped PrologBudget=30
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>/dev/null &
	pid=$!
	worker_of "$pid" >/dev/null
	kill -KILL "$pid"
	wait "$pid" || true
	no_agents_left
	hook_gone
}

hook_gone()
{
	local try
	for try in {1..300}; do
		[[ -n $(hook_pids) ]] || return 0
		sleep 0.1
	done
	fail "processes of the hook are left after $try looks"
}

many_at_once()
{
	local i rc=0
	local -a env pids=()
	hook_site right
	mapfile -t env < <(hook_env)
	for i in {1..20}; do
		env -i "${env[@]}" SLURM_JOB_ID="$((5000 + i))" "$HOOK_BIN" prolog 2>/dev/null &
		pids+=("$!")
	done
	for i in "${pids[@]}"; do
		wait "$i" || rc=$?
	done
	equal "$rc" 0 "exit code"
	for i in {1..20}; do
		file_has "$(hook_spool_job $((5000 + i)))/decision" "job_id=$((5000 + i))"
	done
}

for kind in stopped flooder dripper hanger crasher late-crasher forker patricide burner; do
	run_case_as "prolog_keeps_its_budget_$kind" budget_kept "$kind" prolog
	run_case_as "epilog_keeps_its_budget_$kind" budget_kept "$kind" epilog
done
for name in no_output_wanted output_is_never_read output_ends_with_the_hook worker_crashes worker_is_killed told_to_end \
	worker_is_stopped agents_die_with_a_killed_hook many_at_once; do
	run_case "$name"
done
test_end
