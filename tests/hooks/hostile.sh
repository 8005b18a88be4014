#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hostile user and a careless admin: forged options, messages without a job, a spool that others could have
# written, broken configurations. Nothing is done, said raw or opened that should not be.
. "$(dirname "$0")/lib.bash"
hook_setup

# Nothing of the job is in the spool, and no agent ran.
nothing_done()
{
	no_spool
	[[ ! -e $HOOK_WORK/dump-resolve ]] || fail "the agent ran"
}

refuses_root()
{
	hook_site dumper
	hook_call prolog SLURM_JOB_UID=0
	nothing_done
	hook_said "uid 0"
	put_status 0
	hook_call epilog SLURM_JOB_UID=0 SLURM_JOB_EXIT_CODE2=0:0
	[[ -e $(hook_spool_job)/status ]]
	[[ ! -e $HOOK_WORK/dump-record ]]
}

refuses_bare_messages()
{
	local change
	hook_site dumper
	for change in -SLURM_JOB_RESTART_COUNT SLURM_JOB_RESTART_COUNT= SLURM_JOB_RESTART_COUNT=-1 \
		SLURM_JOB_RESTART_COUNT=1x '-SLURM_JOB_WORK_DIR' 'SLURM_JOB_WORK_DIR=(null)' \
		-SLURM_JOB_ID SLURM_JOB_ID=0 SLURM_JOB_ID=../1 SLURM_JOB_ID=99999999999 -SLURM_JOB_UID \
		SLURM_JOB_UID=-1 SLURM_JOB_UID=4294967295 SLURM_JOB_UID=4294967296 SLURM_JOB_UID=0x0 \
		-SLURM_JOB_GID SLURM_JOB_GID=4294967295 -SLURM_CLUSTER_NAME SLURM_CLUSTER_NAME=.. \
		SLURMD_NODENAME=../n1 SLURMD_NODENAME= 'SLURMD_NODENAME=a b'; do
		hook_call prolog "$change"
		[[ -z $(find "$HOOK_SPOOL" -type f 2>/dev/null) ]] || fail "acted for $change"
		hook_call epilog "$change"
	done
	nothing_done
}

# forged NAME=VALUE: the option is refused, and said without control characters.
forged()
{
	rm -f "$HOOK_WORK/dump-resolve"
	hook_call prolog "$1"
	no_decision
	[[ ! -e $HOOK_WORK/dump-resolve ]] || fail "the agent ran for ${1:0:40}"
	hook_said "refused"
	[[ $(LC_ALL=C tr -d '\n\040-\176' <"$TEST_TMP/hook.err" | wc -c) == 0 ]] ||
		fail "raw bytes in the log"
	equal "$(wc -l <"$TEST_TMP/hook.err")" 1 "lines in the log"
	(($(wc -c <"$TEST_TMP/hook.err") < 700)) || fail "a log line of $(wc -c <"$TEST_TMP/hook.err")"
}

forged_options()
{
	local long
	long=$(printf '%0100000d' 0)
	hook_site dumper
	forged 'SPANK_CKPT_RESUME=%n%n%s%s%x'
	forged $'SPANK_CKPT_RESUME=auto\nevil=1'
	forged $'SPANK_CKPT_DIR=/a\nckpt-hook: job 1: all is well'
	forged $'SPANK_CKPT_DIR=/a\e[2J\a\x01\x7f\xc2\x9b'
	forged $'SPANK_CKPT_DIR=/a\x9b31m\xff::/b'
	forged 'SPANK_CKPT_DIR=/a::/b'
	forged 'SPANK_CKPT_DIR=/a/%n'
	forged "SPANK_CKPT_DIR=/$long"
	forged "SPANK_CKPT_RESUME=/$long"
	forged "SPANK_CKPT_STATE=/$long"
	forged 'SPANK_CKPT_ENV=LD_PRELOAD'
	forged 'SPANK_CKPT_ENV=PATH'
	forged 'SPANK_CKPT_REPIN=2'
	forged 'SPANK_CKPT_VERIFY=../../etc'
	forged 'SPANK_CKPT_RESUME='
	forged $'SLURM_JOB_WORK_DIR=/tmp/\nX=1'
	forged "SLURM_JOB_WORK_DIR=/$long"
	forged "SLURM_JOB_USER=$long"
}

odd_but_allowed_options()
{
	local dump=$HOOK_WORK/dump-resolve
	hook_site dumper
	# shellcheck disable=SC2016 # meant to arrive as it is
	hook_call prolog 'SPANK_CKPT_DIR=../../../etc/$(reboot);`id`' 'SPANK_CKPT_GLOB=*; rm -rf /'
	# shellcheck disable=SC2016
	file_has "$dump" 'env CKPT_REQUEST_DIR=../../../etc/$(reboot);`id`'
	equal "$(value Uid: "$dump" | cut -f1)" "$(id -u "$HOOK_USER")" uid
}

value() { sed -n "s/^$1[[:space:]]*//p" "$2"; }

epilog_refuses_forged_options()
{
	hook_site dumper
	fake_jobinfo ''
	rm -f "$HOOK_WORK/dump-record"
	put_status 0
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0 SPANK_CKPT_ENV=IFS
	[[ ! -e $HOOK_WORK/dump-record ]] || fail "the agent ran"
	hook_said "ended: finished"
}

odd_exit_codes()
{
	local code
	hook_site dumper
	fake_jobinfo ''
	for code in '' : 1 1: :1 -1:0 999999999999:0 256:0 0:256 0:0:0 $'0:0\n' "$(printf '%0100000d' 1):0"; do
		put_status 0
		hook_call epilog "SLURM_JOB_EXIT_CODE2=$code"
		no_spool
		recorded_reason unknown
	done
}

recorded_reason() { file_has "$HOOK_WORK/dump-record" "env CKPT_REQUEST_REASON=$1"; }

# spool_refused: prolog and epilog leave alone what is there, and say so.
spool_refused()
{
	rm -f "$HOOK_WORK/dump-resolve"
	hook_call prolog
	hook_said "spool"
	[[ ! -e $HOOK_WORK/dump-resolve ]] || fail "the agent ran"
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	[[ -z $(find "$HOOK_WORK/trap" -mindepth 1 2>/dev/null) ]] || fail "written through a link"
}

spool_attacks()
{
	local dir
	for dir in "$HOOK_SPOOL" "$HOOK_SPOOL/tc" "$HOOK_SPOOL/tc/n1" "$(hook_spool_job)"; do
		hook_site dumper
		(umask 077 && mkdir -p "$(dirname "$dir")" "$HOOK_WORK/trap")
		ln -s "$HOOK_WORK/trap" "$dir"
		spool_refused
		rm "$dir"
		touch "$dir"
		spool_refused
		rm "$dir"
		mkdir -m 770 "$dir"
		spool_refused
		chmod 700 "$dir"
		chown "$HOOK_USER" "$dir"
		spool_refused
	done
}

spool_files_attacked()
{
	local dir
	dir=$(hook_spool_job)
	hook_site dumper
	fake_jobinfo ''
	rm -f "$HOOK_WORK"/dump-*
	echo secret >"$HOOK_WORK/target"
	put_status 0
	ln -sf "$HOOK_WORK/target" "$dir/status"
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	[[ ! -e $HOOK_WORK/dump-record ]] || fail "believed a link"
	rm "$dir/status"
	put_status 0
	chown "$HOOK_USER" "$dir/status"
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	[[ ! -e $HOOK_WORK/dump-record ]] || fail "believed a file of the user"
	rm "$dir/status"
	mkfifo "$dir/status"
	hook_timed 1 epilog SLURM_JOB_EXIT_CODE2=0:0
	rm "$dir/status"
	head -c 300000 /dev/zero >"$dir/status"
	hook_call epilog SLURM_JOB_EXIT_CODE2=0:0
	[[ ! -e $HOOK_WORK/dump-record ]] || fail "believed rubbish"
	equal "$(cat "$HOOK_WORK/target")" secret "the link's target"
	rm -f "$dir"/*
	ln -s "$HOOK_WORK/target" "$dir/attempt"
	hook_call prolog
	equal "$(cat "$HOOK_WORK/target")" secret "the link's target"
}

spool_is_full()
{
	hook_site dumper
	mkdir -m 700 "$HOOK_SPOOL"
	mount -t tmpfs -o size=4k,mode=700 none "$HOOK_SPOOL" 2>/dev/null || skip_case "cannot mount a tmpfs"
	dd if=/dev/zero of="$HOOK_SPOOL/filler" bs=4k count=1 2>/dev/null
	hook_call prolog || { umount "$HOOK_SPOOL" && fail "the prolog failed"; }
	[[ ! -e $(hook_spool_job)/decision ]] || { umount "$HOOK_SPOOL" && fail "a decision"; }
	umount "$HOOK_SPOOL"
	hook_said "No space left"
}

broken_configurations()
{
	local line conf=$HOOK_ROOT/etc/ckpt-resume.conf
	for line in 'NoSuchKey=1' 'PrologBudget=-1' 'PrologBudget=1e9' 'Agent=relative' 'nonsense' \
		'Verify=full
Verify=full' 'SpoolDir=/a
SpoolDir=/b'; do
		hook_site dumper "$line"
		hook_call prolog
		nothing_done
		hook_said "nothing is done until the configuration is mended"
		exits 1 "$HOOK_BIN" --check "$conf"
	done
	hook_site dumper
	chmod 666 "$conf"
	hook_call prolog
	nothing_done
	chmod 644 "$conf"
	chown "$HOOK_USER" "$conf"
	hook_call prolog
	nothing_done
	chown root "$conf"
	mv "$conf" "$conf.real"
	ln -s "$conf.real" "$conf"
	hook_call prolog
	nothing_done
	rm "$conf"
	mkfifo "$conf"
	hook_timed 1 prolog
	nothing_done
	rm "$conf"
}

agent_is_no_program()
{
	hook_site right
	chmod 600 "$HOOK_ROOT/agents/right"
	hook_call prolog
	no_decision
	hook_site right 
	rm "$HOOK_ROOT/agents/right"
	mkdir "$HOOK_ROOT/agents/right"
	hook_call prolog
	no_decision
	hook_said "could not be started"
	rmdir "$HOOK_ROOT/agents/right"
}

by_hand()
{
	local out
	hook_site right PrologBudget=2.5
	exits 2 "$HOOK_BIN" 2>/dev/null
	exits 2 "$HOOK_BIN" --nonsense 2>/dev/null
	exits 2 "$HOOK_BIN" --check a b 2>/dev/null
	exits 1 "$HOOK_BIN" --check "$HOOK_ROOT/none" 2>/dev/null
	exits 0 "$HOOK_BIN" --version >/dev/null
	contains "$("$HOOK_BIN" --help)" "--check"
	out=$("$HOOK_BIN" --check "$HOOK_ROOT/etc/ckpt-resume.conf")
	contains "$out" "PrologBudget=2.500"
	contains "$out" "OnUndecided=fail"
	contains "$out" "SpoolDir=$HOOK_SPOOL"
	out=$(SLURM_CONF=$HOOK_ROOT/etc/slurm.conf "$HOOK_BIN" --check)
	contains "$out" "PrologBudget=2.500"
	# What it prints is itself a configuration.
	grep -v '^warning' <<<"$out" >"$HOOK_ROOT/etc/again.conf"
	sed -i '/^[A-Za-z]*=$/d' "$HOOK_ROOT/etc/again.conf"
	equal "$("$HOOK_BIN" --check "$HOOK_ROOT/etc/again.conf" | grep -v '^#')" \
		"$(grep -v '^#' <<<"$out")" "the configuration read back"
}

# A program that the hooks execute and others could change, or that its user could trace, is said.
check_warns()
{
	local conf=$HOOK_ROOT/etc/ckpt-resume.conf out
	hook_site right
	fake_jobinfo ''
	equal "$("$HOOK_BIN" --check "$conf" | grep warning || true)" "" "warnings"
	chmod 755 "$HOOK_ROOT/agents/right"
	contains "$("$HOOK_BIN" --check "$conf")" "warning: Agent $HOOK_ROOT/agents/right can be read"
	chmod 713 "$HOOK_ROOT/agents/right"
	contains "$("$HOOK_BIN" --check "$conf")" "can be written by others"
	hook_site right
	chmod 775 "$HOOK_ROOT/agents"
	out=$("$HOOK_BIN" --check "$conf")
	chmod 755 "$HOOK_ROOT/agents"
	contains "$out" "warning: $HOOK_ROOT/agents, where Agent lies, can be written by others"
	chmod 700 "$HOOK_ROOT/agents"
	out=$("$HOOK_BIN" --check "$conf")
	chmod 755 "$HOOK_ROOT/agents"
	contains "$out" "warning: $HOOK_ROOT/agents, where Agent lies, is closed to users"
}

# The agent is a process of the user: it can be stopped or killed, never looked into or taken over.
agent_is_not_traced()
{
	local -a env
	local pid hook try
	mapfile -t env < <(hook_env)
	hook_site stopped PrologBudget=60 # it is killed below
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>/dev/null &
	hook=$!
	for try in {1..1000}; do
		pid=$(pgrep -u "$HOOK_USER" -f "^$HOOK_ROOT/agents/stopped" || true)
		[[ -z $pid ]] || break
		sleep 0.02
	done
	[[ -n $pid ]] || fail "no agent after $try looks"
	setpriv --reuid "$HOOK_USER" --regid "$(id -g "$HOOK_USER")" --clear-groups /usr/bin/python3 - "$pid" <<-'PROGRAM'
	import ctypes, os, sys
	pid = int(sys.argv[1])
	libc = ctypes.CDLL(None, use_errno=True)
	os.kill(pid, 0)  # it is ours
	for name in ("environ", "mem", "maps", "fd", "cwd", "root", "exe", "oom_score_adj"):
	    path = f"/proc/{pid}/{name}"
	    try:
	        if name == "fd":
	            os.listdir(path)
	        elif name in ("cwd", "root", "exe"):
	            os.readlink(path)
	        else:
	            flags = os.O_RDWR if name in ("mem", "oom_score_adj") else os.O_RDONLY
	            os.read(os.open(path, flags), 1)
	        sys.exit(f"{name} can be had")
	    except PermissionError:
	        pass
	for request in (16, 0x4206):  # PTRACE_ATTACH, PTRACE_SEIZE
	    if libc.ptrace(request, pid, 0, 0) == 0:
	        sys.exit("it can be traced")
	PROGRAM
	kill -KILL "$pid"
	wait "$hook"
	no_decision
}

names_say_which_hook()
{
	local -a env
	mapfile -t env < <(hook_env)
	hook_site right
	cp "$HOOK_BIN" "$HOOK_ROOT/lib/50-ckpt-prolog"
	env -i "${env[@]}" "$HOOK_ROOT/lib/50-ckpt-prolog" 2>/dev/null
	has_decision
	cp "$HOOK_BIN" "$HOOK_ROOT/lib/ckpt-epilog"
	env -i "${env[@]}" "$HOOK_ROOT/lib/ckpt-epilog" 2>/dev/null
	no_spool
	env -i "${env[@]}" "$HOOK_BIN" prolog 2>/dev/null
	has_decision
	# Slurm says something unknown: still no reason to drain the node.
	exits 0 env -i "${env[@]}" SLURM_SCRIPT_CONTEXT=prolog_new_kind "$HOOK_BIN"
	exits 0 env -i "${env[@]}" SLURM_SCRIPT_CONTEXT=unknown "$HOOK_BIN"
	exits 0 env -i "${env[@]}" SLURM_SCRIPT_CONTEXT=unknown "$HOOK_BIN" a b c d
}

for name in refuses_root refuses_bare_messages forged_options odd_but_allowed_options \
	epilog_refuses_forged_options odd_exit_codes spool_attacks spool_files_attacked spool_is_full \
	broken_configurations agent_is_no_program by_hand check_warns \
	agent_is_not_traced names_say_which_hook; do
	run_case "$name"
done
test_end
