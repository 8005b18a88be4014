# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The plugin on a fake SPANK (tests/plugin/fake_spank.c), with a site of its own and small agents.

# shellcheck source=tests/lib/assert.sh
. "$(dirname "${BASH_SOURCE[0]}")/assert.sh"

PLUGIN=$TEST_BUILD/ckpt_resume.so
FAKE_SPANK=$TEST_BUILD/tests/ckpt-fake-spank
SITE=$TEST_TMP/etc
SPOOL=$TEST_TMP/spool
OUT=$TEST_TMP/out
ERR=$TEST_TMP/err
ASKED=env=SLURM_SPANK_CKPT_RESUME=auto
HOST_ENV=() # further variables of the host program

# site [LINE...]: writes the configuration. No companion, unless the lines say something of it.
site()
{
	local lines=("$@")
	mkdir -p "$SITE"
	[[ "$*" == *Companion=* ]] || lines+=(Companion=no)
	printf '%s\n' "SpoolDir=$SPOOL" "Agent=$TEST_TMP/agent" "DisableFile=$SITE/off" "${lines[@]}" >"$SITE/ckpt-resume.conf"
	chmod 644 "$SITE/ckpt-resume.conf"
}

# agent BODY: a shell script that knows `answer LINE...` and notes each run in $TEST_TMP/runs.
agent()
{
	cat >"$TEST_TMP/agent" <<-'END'
	#!/bin/bash
	answer()
	{
		local text=$(printf '%s\n' "$@")$'\n' n
		n=$(printf %s "$text" | wc -c)
		printf "CKW1\\x$(printf %02x $((n % 256)))\\x$(printf %02x $((n / 256)))\\x00\\x00%s" "$text" >&3
	}
	resume=(mode=resume path=/r/ckpt-3 root=/r tag=ckpt-3 evidence=seal start_epoch=4 dir=/r "line=resuming from ckpt-3")
	END
	{
		printf 'printf "%%s\\n" "$*" >>%q\n' "$TEST_TMP/runs"
		printf 'env >%q\n' "$TEST_TMP/agent.env"
		printf '%s\n' "$1"
	} >>"$TEST_TMP/agent"
	chmod 755 "$TEST_TMP/agent"
	rm -f "$TEST_TMP/agent.env"
	: >"$TEST_TMP/runs"
	: >"$TEST_TMP/agent.env"
	chmod 666 "$TEST_TMP/runs" "$TEST_TMP/agent.env"
}

# host WORD...: runs the plugin; standard output in $OUT, error in $ERR.
host()
{
	env -i PATH="$PATH" SLURM_CONF="$SITE/slurm.conf" SLURMD_NODENAME=n1 "${HOST_ENV[@]}" \
		"$FAKE_SPANK" "$PLUGIN" "$@" >"$OUT" 2>"$ERR" || fail "the host ended with $?: $(cat "$ERR")"
	! grep -E '^(init|init_post_opt|local_user_init|task_init|task_exit|exit)=' "$OUT" | grep -v '=0$' ||
		fail "a callback did not return 0"
}

batch() { host batch env=SLURM_CLUSTER_NAME=c1 "$@"; }

spool_dir() { echo "$SPOOL/c1/n1/${1:-7}"; }

# spool ATTEMPT [DECISION-LINE...]: as the prolog leaves it.
spool()
{
	local dir attempt=$1
	shift
	dir=$(spool_dir)
	rm -rf "$SPOOL"
	(umask 077 && mkdir -p "$dir" && printf 'attempt=%s\nboot=%s\n' "$attempt" \
		"${BOOT:-$(cat /proc/sys/kernel/random/boot_id)}" >"$dir/attempt" &&
		{ (($# == 0)) || printf '%s\n' "$@" >"$dir/decision"; })
}

has() { grep -qxF -- "$1" "$OUT" || fail "no line '$1' in: $(cat "$OUT")"; }

has_not() { ! grep -q -- "$1" "$OUT" || fail "'$1' should not be in: $(cat "$OUT")"; }

says() { file_has "$ERR" "$1"; }

quiet() { [[ ! -s $ERR ]] || fail "it said: $(cat "$ERR")"; }

runs() { equal "$(wc -l <"$TEST_TMP/runs")" "$1" "runs of the agent"; }

# Runs every function case_* of the script, each with nothing left of the one before.
fresh_case()
{
	rm -rf "$SPOOL"
	site
	"$1"
}

run_cases()
{
	local name
	for name in $(declare -F | sed -n 's/.* \(case_.*\)/\1/p'); do
		run_case_as "${name#case_}" fresh_case "$name"
	done
	test_end
}
