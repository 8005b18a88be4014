# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A hook called as slurmd calls it, without a cluster: a copy of the hook with its own configuration,
# spool and agents in the test's directory, and an environment made from nothing. The job's owner is an
# ordinary user; without root the cases that need one are skipped.
. "$(dirname "${BASH_SOURCE[0]}")/../lib/assert.sh"

HOOK_USER=${HOOK_USER:-ckpttest}
HOOK_ROOT=$TEST_TMP/site
HOOK_BIN=$HOOK_ROOT/lib/ckpt-hook
HOOK_SPOOL=$HOOK_ROOT/spool
HOOK_WORK=$TEST_TMP/work
HOOK_JOB=4711

# The directory of the job in the spool.
# shellcheck disable=SC2120 # its argument is optional
hook_spool_job() { echo "$HOOK_SPOOL/tc/n1/${1:-$HOOK_JOB}"; }

hook_setup()
{
	((EUID == 0)) || { echo "skip ${0##*/}: needs root to become another user" && exit 0; }
	id -u "$HOOK_USER" >/dev/null 2>&1 ||
		/usr/sbin/useradd -M -d /nonexistent -s /bin/sh "$HOOK_USER"
	mkdir -p "$HOOK_ROOT"/{etc,lib,agents} "$HOOK_WORK"
	install -m 755 "$TEST_BUILD/ckpt-hook" "$HOOK_BIN"
	chown "$HOOK_USER": "$HOOK_WORK"
}

# hook_agent KIND: makes that the agent; prints its path.
hook_agent()
{
	install -m 711 "$TEST_BUILD/tests/ckpt-fake-agent" "$HOOK_ROOT/agents/$1"
	echo "$HOOK_ROOT/agents/$1"
}

# hook_site KIND [LINE...]: a configuration with that agent, an empty spool, no trace of earlier agents.
hook_site()
{
	local agent
	agent=$(hook_agent "$1") && shift
	rm -rf "$HOOK_SPOOL" "$HOOK_WORK"/dump-*
	{
		printf '%s\n' "SpoolDir=$HOOK_SPOOL" "Agent=$agent" \
			"DisableFile=$HOOK_ROOT/etc/disable" "$@"
	} >"$HOOK_ROOT/etc/ckpt-resume.conf"
	echo "${HOOK_SLURM_CONF:-PreemptType=preempt/none}" >"$HOOK_ROOT/etc/slurm.conf"
	chmod 644 "$HOOK_ROOT/etc/ckpt-resume.conf"
}

# hook_env: prints the environment of a batch job's hook at attempt HOOK_ATTEMPT (1).
hook_env()
{
	cat <<-ENV
	SLURMD_NODENAME=n1
	SLURM_CONF=$HOOK_ROOT/etc/slurm.conf
	SLURM_CLUSTER_NAME=tc
	SLURM_JOB_ID=$HOOK_JOB
	SLURM_JOB_UID=$(id -u "$HOOK_USER")
	SLURM_JOB_GID=$(id -g "$HOOK_USER")
	SLURM_JOB_USER=$HOOK_USER
	SLURM_JOB_WORK_DIR=$HOOK_WORK
	SLURM_JOB_PARTITION=low
	SLURM_NODELIST=n1
	SLURM_JOB_NUM_NODES=1
	SLURM_JOB_RESTART_COUNT=${HOOK_ATTEMPT:-1}
	SPANK_CKPT_RESUME=auto
	SPANK_CKPT_DIR=$HOOK_WORK/run
	ENV
}

# hook_call prolog|epilog [NAME=VALUE|-NAME...]: the hook with that environment, changed as said. Its stderr
# is kept in hook.err. Fails unless it exits 0.
hook_call()
{
	local which=$1 line rc=0 change
	local -a env=()
	shift
	while IFS= read -r line; do
		for change in "$@"; do
			[[ ${line%%=*} != "${change%%=*}" && ${line%%=*} != "${change#-}" ]] || line=
		done
		[[ -z $line ]] || env+=("$line")
	done < <(hook_env)
	for change in "$@"; do
		[[ $change == -* ]] || env+=("$change")
	done
	env -i "SLURM_SCRIPT_CONTEXT=${which}_slurmd" "${env[@]}" ${HOOK_WRAP:-} "$HOOK_BIN" \
		>"$TEST_TMP/hook.out" 2>"$TEST_TMP/hook.err" </dev/null || rc=$?
	cat "$TEST_TMP/hook.err"
	[[ $rc == 0 ]] || fail "the $which exited with $rc"
	[[ ! -s $TEST_TMP/hook.out ]] || fail "the $which wrote to stdout"
}

# hook_timed SECONDS prolog|epilog ...: the call ends, pipes included, within that time.
hook_timed()
{
	local limit=$1 begin end
	shift
	begin=$(date +%s%N)
	hook_call "$@"
	end=$(date +%s%N)
	((end - begin <= limit * 1000000000)) ||
		late "took $(((end - begin) / 1000000)) ms, allowed ${limit}000"
}

hook_said() { file_has "$TEST_TMP/hook.err" "$1"; }

has_decision() { [[ -f $(hook_spool_job)/decision ]] || fail "no decision in the spool"; }

no_decision() { [[ ! -e $(hook_spool_job)/decision ]] || fail "a decision in the spool"; }

no_spool() { [[ ! -e $(hook_spool_job) ]] || fail "the job has a spool"; }

# Processes that run one of the agents.
agents_left() { pgrep -f "^$HOOK_ROOT/agents/" || true; }

no_agents_left()
{
	local try
	for try in {1..300}; do
		[[ -n $(agents_left) ]] || return 0
		sleep 0.1
	done
	fail "agents are left: $(agents_left), after $try looks"
}

# put_status RAW [ATTEMPT [REFUSED]]: what the plugin leaves in the spool when the batch task has ended.
put_status()
{
	local dir boot attempt=${2:-1}
	dir=$(hook_spool_job)
	boot=$(cat /proc/sys/kernel/random/boot_id)
	(
		umask 077
		mkdir -p "$dir"
		stamp "$attempt" "$boot" >"$dir/attempt"
		{
			stamp "$attempt" "$boot"
			[[ $1 == 0 ]] || echo "status=$1"
			[[ ${3:-0} == 0 ]] || echo "refused=1"
		} >"$dir/status"
	)
}

# An attempt of 0 is not written: the wire form leaves zeros out.
stamp()
{
	[[ $1 == 0 ]] || echo "attempt=$1"
	echo "boot=$2"
}

# fake_jobinfo LINE [EXIT-CODE]: a ckpt-jobinfo beside the hook that answers this and notes each call.
fake_jobinfo()
{
	rm -f "$TEST_TMP/asked"
	printf '#!/bin/sh\necho "$*" >>%s\n%s\nexit %d\n' "$TEST_TMP/asked" \
		"${1:+echo '$1'}" "${2:-0}" >"$HOOK_ROOT/lib/ckpt-jobinfo"
	chmod 755 "$HOOK_ROOT/lib/ckpt-jobinfo"
}

asked() { [[ -e $TEST_TMP/asked ]] && cat "$TEST_TMP/asked" || true; }
