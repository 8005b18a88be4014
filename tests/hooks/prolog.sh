#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The prolog: when it decides, what it stores, and as whom the agent runs.
. "$(dirname "$0")/lib.bash"
hook_setup

stores_a_proved_resume()
{
	hook_site right
	hook_call prolog
	has_decision
	file_has "$(hook_spool_job)/decision" "path=/run/x/ckpt-3"
	file_has "$(hook_spool_job)/attempt" "attempt=1"
	hook_said "job $HOOK_JOB: attempt 1: resume from '/run/x/ckpt-3' ('checksum')"
	[[ $(stat -c '%a %u' "$(hook_spool_job)") == "700 0" ]]
}

stores_nothing_else()
{
	local kind
	for kind in fresh liar forger relative inventive crasher late-crasher hanger missing; do
		hook_site right PrologBudget=1
		[[ $kind == missing ]] || hook_site "$kind" PrologBudget=1
		[[ $kind != missing ]] || rm "$HOOK_ROOT/agents/right"
		hook_timed 2 prolog
		no_decision
		file_has "$(hook_spool_job)/attempt" "attempt=1"
	done
}

first_start_is_the_steps()
{
	hook_site right
	HOOK_ATTEMPT=0 hook_call prolog
	no_decision
	file_has "$(hook_spool_job)/attempt" "boot="
	hook_site right PrologResolve=always
	HOOK_ATTEMPT=0 hook_call prolog
	has_decision
	hook_site right PrologResolve=off
	hook_call prolog
	no_decision
}

unknown_directories_are_the_steps()
{
	local dir
	hook_site right
	hook_call prolog -SPANK_CKPT_DIR
	no_decision
	for dir in /a/%a /a/%A /a/%x /a/%%/%j_%a; do
		hook_call prolog "SPANK_CKPT_DIR=$dir"
		no_decision
	done
	hook_call prolog SPANK_CKPT_STATE=/s/%a
	no_decision
	hook_call prolog "SPANK_CKPT_DIR=/a/%j/%u/%%a"
	has_decision
}

batch_host_alone_decides()
{
	local list
	hook_site right
	for list in n2 'n[2-3],n1' 'n10' '' 'n[' 'n[]' 'n[1' "$(printf 'n%.0s' {1..300})"; do
		hook_call prolog "SLURM_NODELIST=$list"
		no_decision
		file_has "$(hook_spool_job)/attempt" "attempt=1"
	done
	for list in n1 n1,n2 'n[1-3]' 'n[1,7]' 'n[1]'; do
		hook_call prolog "SLURM_NODELIST=$list"
		has_decision
	done
}

begins_anew()
{
	hook_site right
	hook_call prolog
	has_decision
	hook_site crasher
	rm -rf "$HOOK_SPOOL"
	hook_site right
	hook_call prolog
	put_status 15 1
	HOOK_ATTEMPT=2 hook_call prolog "SPANK_CKPT_DIR=/a/%a"
	no_decision
	[[ ! -e $(hook_spool_job)/status ]]
	file_has "$(hook_spool_job)/attempt" "attempt=2"
}

max_restarts()
{
	hook_site right MaxRestarts=2
	HOOK_ATTEMPT=2 hook_call prolog
	file_has "$(hook_spool_job)/decision" "mode=resume"
	HOOK_ATTEMPT=3 hook_call prolog
	file_has "$(hook_spool_job)/decision" "mode=refused"
	file_has "$(hook_spool_job)/decision" "refusal=64"
	file_has "$(hook_spool_job)/decision" "MaxRestarts=2 reached"
	HOOK_ATTEMPT=3 hook_call prolog "SPANK_CKPT_RESUME=no such mode"
	file_has "$(hook_spool_job)/decision" "mode=refused"
}

kill_switch_and_partitions()
{
	hook_site right Partitions=high,low2
	hook_call prolog
	no_spool
	hook_call prolog SLURM_JOB_PARTITION=high
	has_decision
	hook_site right
	touch "$HOOK_ROOT/etc/disable"
	hook_call prolog
	rm "$HOOK_ROOT/etc/disable"
	no_spool
}

# value NAME FILE: the rest of the line that begins with NAME and blanks.
value() { sed -n "s/^$1[[:space:]]*//p" "$2"; }

agent_is_the_user_for_good()
{
	local dump=$HOOK_WORK/dump-resolve uid gid
	uid=$(id -u "$HOOK_USER") gid=$(id -g "$HOOK_USER")
	hook_site dumper PrologBudget=3
	hook_call prolog
	has_decision
	equal "$(value Uid: "$dump")" "$uid	$uid	$uid	$uid" Uid
	equal "$(value Gid: "$dump")" "$gid	$gid	$gid	$gid" Gid
	equal "$(value Groups: "$dump" | tr -s ' ' '\n' | sort -n | xargs)" \
		"$(id -G "$HOOK_USER" | tr ' ' '\n' | sort -n | xargs)" Groups
	equal "$(value NoNewPrivs: "$dump")" 1 NoNewPrivs
	equal "$(value CapEff: "$dump")" 0000000000000000 CapEff
	equal "$(value CapPrm: "$dump")" 0000000000000000 CapPrm
	equal "$(value SigIgn: "$dump")" 0000000000000000 SigIgn
	equal "$(value SigBlk: "$dump")" 0000000000000000 SigBlk
	equal "$(value root "$dump")" gone root
	equal "$(value pdeathsig "$dump")" 9 pdeathsig
	equal "$(value dumpable "$dump")" 0 dumpable
	equal "$(value nice "$dump")" 19 nice
	equal "$(value umask "$dump")" 077 umask
	equal "$(value cwd "$dump")" / cwd
	equal "$(value pgrp-is-parents "$dump")" 1 "process group"
	equal "$(tail -n 1 "$dump")" 1000 oom_score_adj
}

agent_has_limits()
{
	local dump=$HOOK_WORK/dump-resolve
	hook_site dumper PrologBudget=3
	hook_call prolog
	equal "$(value 'Max core file size' "$dump" | awk '{print $1, $2}')" "0 0" CORE
	equal "$(value 'Max address space' "$dump" | awk '{print $1, $2}')" \
		"1073741824 1073741824" AS
	equal "$(value 'Max cpu time' "$dump" | awk '{print $1, $2}')" "5 5" CPU
	equal "$(value 'Max open files' "$dump" | awk '{print $1, $2}')" "256 256" NOFILE
	equal "$(value 'Max file size' "$dump" | awk '{print $1, $2}')" "67108864 67108864" FSIZE
	equal "$(value 'Max locked memory' "$dump" | awk '{print $1, $2}')" "0 0" MEMLOCK
}

agent_gets_no_more_than_it_needs()
{
	local dump=$HOOK_WORK/dump-resolve
	hook_site dumper PrologBudget=3
	hook_call prolog LD_PRELOAD_X=1 SPANK_EVIL=1 SPANK_LD_PRELOAD=/x
	equal "$(grep -c '^arg ' "$dump")" 3 "number of arguments"
	equal "$(sed -n 's/^arg //p' "$dump" | tail -n 2 | xargs)" "resolve --no-exec" arguments
	equal "$(sed -n 's/^env //p' "$dump" | grep -v '^CKPT_REQUEST_' | sort | xargs)" \
		"LANG=C PATH=/usr/bin:/bin" environment
	equal "$(sed -n 's/^fd //p' "$dump" | awk '{sub(":.*", "", $2); print $1 $2}' | xargs)" \
		"0/dev/null 1/dev/null 2/dev/null 3pipe" descriptors
	file_has "$dump" "env CKPT_REQUEST_IN_HOOK=1"
	file_has "$dump" "env CKPT_REQUEST_ATTEMPT=1"
	file_has "$dump" "env CKPT_REQUEST_USER=$HOOK_USER"
	file_has "$dump" "env CKPT_REQUEST_WORK_DIR=$HOOK_WORK"
}

memory_is_limited()
{
	hook_site eater PrologBudget=3
	hook_call prolog
	has_decision
}

trusted_rows_cannot_be_forged()
{
	local dump=$HOOK_WORK/dump-resolve
	hook_site dumper PrologBudget=3
	hook_call prolog SPANK_CKPT_JOB_ID=1 SPANK_CKPT_RUN_DIRS=/ SPANK_CKPT_IN_HOOK=0 \
		SPANK_CKPT_BUDGET_MS=99999999 SPANK_CKPT_USER=root
	file_has "$dump" "env CKPT_REQUEST_JOB_ID=$HOOK_JOB"
	file_has "$dump" "env CKPT_REQUEST_IN_HOOK=1"
	file_has "$dump" "env CKPT_REQUEST_USER=$HOOK_USER"
	file_lacks "$dump" 99999999
}

for name in stores_a_proved_resume stores_nothing_else first_start_is_the_steps \
	unknown_directories_are_the_steps batch_host_alone_decides begins_anew max_restarts \
	kill_switch_and_partitions agent_is_the_user_for_good agent_has_limits \
	agent_gets_no_more_than_it_needs memory_is_limited trusted_rows_cannot_be_forged; do
	run_case "$name"
done
test_end
