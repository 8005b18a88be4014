# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A private Slurm cluster in one temporary directory: own munge key and socket, slurmctld, any number of
# slurmd on this host, own ports. Nothing outside that directory is written, no running Slurm is touched,
# and stop leaves neither process nor file behind. To be sourced; tests/cluster is the same as a program.
#
# Settings, read by cluster_start (environment or assignment before the call):
#   CLUSTER_NODES=2        number of slurmd, named n1, n2, ...
#   CLUSTER_CPUS=1         processors of each, as Slurm is told
#   CLUSTER_PLUGIN=auto    the SPANK plugin: optional, required, off; auto = optional where it is built
#   CLUSTER_HOOKS=auto     Prolog and Epilog: on, off; auto = on where they are built
#   CLUSTER_BUILD=build    where the built parts are
#   CLUSTER_GRACE=0        GraceTime of partition low
#   CLUSTER_PROLOG=, CLUSTER_EPILOG=   scripts of the caller's own instead of the hooks
#   CLUSTER_PROCTRACK=linuxproc   or cgroup
#   CLUSTER_NODE=          further words of each node's line of slurm.conf
#   CLUSTER_CGROUP=        further words of cgroup.conf
#   CLUSTER_CONF=          further lines of slurm.conf
#   CLUSTER_SITE=          further lines of ckpt-resume.conf
#   CLUSTER_USER=          owner of the jobs: an ordinary user, made where missing (root only)
#   CLUSTER_KEEP=0         1: stop leaves the directory
# A function cluster_own_parts of the caller's is called before the daemons start, to add to or change what is
# in CLUSTER_DIR/lib, etc/plugstack.conf and the settings.
# Afterwards CLUSTER_DIR is the directory, CLUSTER_WORK the owner's part of it, SLURM_CONF is exported.

cluster_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CLUSTER_TIMEOUT=${CLUSTER_TIMEOUT:-120}
PATH=$PATH:/usr/sbin:/sbin

cluster_say() { printf 'cluster: %s\n' "$*" >&2; }

# cluster_until SECONDS COMMAND...: runs it every tenth of a second until it succeeds.
cluster_until()
{
	local end=$((SECONDS + $1)) && shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# --- the parts of the directory ---

cluster_port_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints N free neighbouring ports' first one.
cluster_pick_port()
{
	local n=$1 first p try
	for try in {1..50}; do
		first=$((19001 + (RANDOM * 32768 + RANDOM) % (1000 - n)))
		for ((p = first; p < first + n; p++)); do
			cluster_port_free "$p" || continue 2
		done
		echo "$first"
		return 0
	done
	cluster_say "no $n free neighbouring ports in 19001-20000 after $try tries"
	return 1
}

# The jobs' owner: never root.
cluster_owner()
{
	if ((EUID != 0)); then
		CLUSTER_USER=$(id -un)
	else
		CLUSTER_USER=${CLUSTER_USER:-ckpttest}
		id -u "$CLUSTER_USER" >/dev/null 2>&1 ||
			useradd -M -d /nonexistent -s /bin/sh "$CLUSTER_USER"
		[[ $(id -u "$CLUSTER_USER") != 0 ]]
	fi
	export CLUSTER_USER
}

cluster_make_dirs()
{
	CLUSTER_DIR=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-cluster.XXXXXX")
	CLUSTER_WORK=$CLUSTER_DIR/work
	CLUSTER_LOG=$CLUSTER_DIR/log
	chmod 755 "$CLUSTER_DIR"
	(umask 022 && mkdir "$CLUSTER_DIR"/{etc,log,run,munge,lib,work})
	(umask 077 && mkdir "$CLUSTER_DIR"/{state,spool})
	((EUID != 0)) || chown "$CLUSTER_USER": "$CLUSTER_WORK"
	export CLUSTER_DIR CLUSTER_WORK CLUSTER_LOG
	export SLURM_CONF=$CLUSTER_DIR/etc/slurm.conf
}

# Copies what is built into the directory as an installation would: root-owned, the agent not readable.
cluster_take_parts()
{
	local build=${CLUSTER_BUILD:-$cluster_source/build} name
	for name in ckpt_resume.so ckpt-hook ckpt-jobinfo ckpt-companion ckptctl; do
		[[ ! -e $build/$name ]] || install -m 755 "$build/$name" "$CLUSTER_DIR/lib/$name"
	done
	if [[ -e $build/ckpt-agent ]]; then
		((EUID == 0)) && name=711 || name=755
		install -m "$name" "$build/ckpt-agent" "$CLUSTER_DIR/lib/ckpt-agent"
	fi
	CLUSTER_PLUGIN=${CLUSTER_PLUGIN:-auto}
	CLUSTER_HOOKS=${CLUSTER_HOOKS:-auto}
	if [[ $CLUSTER_PLUGIN == auto ]]; then
		[[ -e $CLUSTER_DIR/lib/ckpt_resume.so ]] && CLUSTER_PLUGIN=optional || CLUSTER_PLUGIN=off
	fi
	if [[ $CLUSTER_HOOKS == auto ]]; then
		[[ -e $CLUSTER_DIR/lib/ckpt-hook ]] && CLUSTER_HOOKS=on || CLUSTER_HOOKS=off
	fi
	if [[ $CLUSTER_PLUGIN != off && ! -e $CLUSTER_DIR/lib/ckpt_resume.so ]] ||
		[[ $CLUSTER_HOOKS != off && ! -e $CLUSTER_DIR/lib/ckpt-hook ]]; then
		cluster_say "plugin or hooks wanted, but not built in $build"
		return 1
	fi
}

cluster_write_site()
{
	cat >"$CLUSTER_DIR/etc/ckpt-resume.conf" <<-CONF
	SpoolDir=$CLUSTER_DIR/spool
	Agent=$CLUSTER_DIR/lib/ckpt-agent
	DisableFile=$CLUSTER_DIR/etc/ckpt-resume.disable
	${CLUSTER_SITE:-}
	CONF
	chmod 644 "$CLUSTER_DIR/etc/ckpt-resume.conf"
	: >"$CLUSTER_DIR/etc/plugstack.conf"
	[[ $CLUSTER_PLUGIN == off ]] ||
		echo "$CLUSTER_PLUGIN $CLUSTER_DIR/lib/ckpt_resume.so" \
			"config=$CLUSTER_DIR/etc/ckpt-resume.conf" >"$CLUSTER_DIR/etc/plugstack.conf"
}

cluster_write_conf()
{
	local host n list prolog=${CLUSTER_PROLOG:-} epilog=${CLUSTER_EPILOG:-} user
	host=$(hostname -s)
	user=$(id -un)
	list="n[1-$CLUSTER_NODES]"
	if [[ $CLUSTER_HOOKS == on ]]; then
		prolog=${prolog:-$CLUSTER_DIR/lib/ckpt-hook}
		epilog=${epilog:-$CLUSTER_DIR/lib/ckpt-hook}
	fi
	cat >"$SLURM_CONF" <<-CONF
	ClusterName=ckpttest
	SlurmctldHost=$host(127.0.0.1)
	SlurmctldPort=$1
	SlurmUser=$user
	SlurmdUser=$user
	AuthType=auth/munge
	AuthInfo=socket=$CLUSTER_DIR/munge/socket,cred_expire=5
	CredType=cred/munge
	StateSaveLocation=$CLUSTER_DIR/state
	SlurmdSpoolDir=$CLUSTER_DIR/spool-%n
	SlurmctldPidFile=$CLUSTER_DIR/run/slurmctld.pidfile
	SlurmdPidFile=$CLUSTER_DIR/run/%n.pidfile
	SlurmctldLogFile=$CLUSTER_LOG/slurmctld.log
	SlurmdLogFile=$CLUSTER_LOG/%n.log
	SlurmdDebug=${CLUSTER_DEBUG:-debug2}
	SlurmdParameters=config_overrides
	PlugStackConfig=$CLUSTER_DIR/etc/plugstack.conf
	ProctrackType=proctrack/${CLUSTER_PROCTRACK:-linuxproc}
	TaskPlugin=task/none
	SwitchType=switch/none
	MpiDefault=none
	ReturnToService=2
	SelectType=select/cons_tres
	SelectTypeParameters=CR_CPU
	SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,defer
	PreemptType=preempt/partition_prio
	PreemptMode=REQUEUE
	KillWait=2
	CompleteWait=0
	JobAcctGatherType=jobacct_gather/none
	AccountingStorageType=accounting_storage/none
	JobFileAppend=${CLUSTER_APPEND:-1}
	${prolog:+Prolog=$prolog}
	${epilog:+Epilog=$epilog}
	${CLUSTER_CONF:-}
	CONF
	for ((n = 1; n <= CLUSTER_NODES; n++)); do
		echo "NodeName=n$n NodeAddr=127.0.0.1 NodeHostname=$host Port=$(($1 + n)) CPUs=${CLUSTER_CPUS:-1} ${CLUSTER_NODE:-}"
	done >>"$SLURM_CONF"
	cat >>"$SLURM_CONF" <<-CONF
	PartitionName=low Nodes=$list Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=${CLUSTER_GRACE:-0}
	PartitionName=high Nodes=$list PriorityTier=10 PreemptMode=OFF
	CONF
	# Named so, the plugin does not go and look for any.
	printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup ${CLUSTER_CGROUP:-} >"$CLUSTER_DIR/etc/cgroup.conf"
	chmod 644 "$CLUSTER_DIR"/etc/*
}

# --- daemons ---

# cluster_daemon NAME COMMAND...: starts it away from the terminal; its pid is in run/NAME.pid.
cluster_daemon()
{
	local name=$1 && shift
	CKPT_CLUSTER_OF=$CLUSTER_DIR setsid "$@" </dev/null >>"$CLUSTER_LOG/$name.out" 2>&1 &
	echo $! >"$CLUSTER_DIR/run/$name.pid"
	disown $!
	cluster_until 5 cluster_marked_or_dead "$name" $!
}

# Between fork and exec a process does not carry the mark yet.
cluster_marked_or_dead() { cluster_alive "$1" || ! kill -0 "$2" 2>/dev/null; }

# cluster_alive NAME: true while the process that we started under that name lives.
cluster_alive()
{
	local pid
	pid=$(cat "$CLUSTER_DIR/run/$1.pid" 2>/dev/null) || return 1
	grep -qzFx "CKPT_CLUSTER_OF=$CLUSTER_DIR" "/proc/$pid/environ" 2>/dev/null
}

cluster_gone() { ! cluster_alive "$1"; }

# cluster_kill NAME SIGNAL: and waits until it is gone.
cluster_kill()
{
	cluster_alive "$1" || return 0
	kill "-$2" "$(cat "$CLUSTER_DIR/run/$1.pid")" 2>/dev/null || true
	cluster_until 10 cluster_gone "$1" ||
		{ kill -KILL "$(cat "$CLUSTER_DIR/run/$1.pid")" 2>/dev/null || true; }
}

cluster_start_munge()
{
	local dir=$CLUSTER_DIR/munge
	(umask 077 && head -c 128 /dev/urandom >"$dir/key")
	cluster_daemon munged munged --foreground --num-threads=2 --key-file="$dir/key" \
		--socket="$dir/socket" --pid-file="$dir/pid" --log-file="$dir/log" --seed-file="$dir/seed"
	cluster_until 60 test -S "$dir/socket"
}

start_slurmctld()
{
	cluster_daemon slurmctld slurmctld -D -f "$SLURM_CONF"
	cluster_until 60 cluster_answers_or_dead
	cluster_ping
}

cluster_answers_or_dead() { cluster_ping || ! cluster_alive slurmctld; }

cluster_ping() { cluster_alive slurmctld && scontrol ping 2>/dev/null | grep -q 'is UP'; }

start_slurmd() { cluster_daemon "$1" slurmd -D -N "$1" -f "$SLURM_CONF"; }

# kill_slurmd NODE [SIGNAL]: as a crash would; jobs' slurmstepd live on.
kill_slurmd() { cluster_kill "$1" "${2:-KILL}"; }

restart_slurmd() { cluster_kill "$1" "${2:-TERM}" && start_slurmd "$1"; }

restart_slurmctld() { cluster_kill slurmctld "${1:-TERM}" && start_slurmctld; }

# --- as a whole ---

cluster_try_start()
{
	local n port
	port=$(cluster_pick_port $((CLUSTER_NODES + 1)))
	cluster_write_conf "$port"
	start_slurmctld || return 1
	for ((n = 1; n <= CLUSTER_NODES; n++)); do
		mkdir -p "$CLUSTER_DIR/spool-n$n"
		start_slurmd "n$n"
	done
	cluster_until "$CLUSTER_TIMEOUT" cluster_up_or_dead
	cluster_all_idle
}

cluster_up_or_dead()
{
	local n
	! cluster_all_idle || return 0
	for ((n = 1; n <= CLUSTER_NODES; n++)); do
		cluster_alive "n$n" || return 0
	done
	return 1
}

# Another cluster may have taken a port between our look and our bind.
cluster_port_was_taken() { grep -qsi 'address already in use' "$CLUSTER_LOG"/*; }

cluster_all_idle()
{
	local n states
	for ((n = 1; n <= CLUSTER_NODES; n++)); do
		cluster_alive "n$n" || return 1
	done
	states=$(sinfo -h -N -p low -o '%T' 2>/dev/null) || return 1
	[[ $(grep -cx idle <<<"$states") == "$CLUSTER_NODES" ]]
}

cluster_start()
{
	local try
	CLUSTER_NODES=${CLUSTER_NODES:-2}
	cluster_owner
	cluster_make_dirs
	cluster_take_parts
	cluster_write_site
	! declare -F cluster_own_parts >/dev/null || cluster_own_parts
	cluster_start_munge
	for try in 1 2 3; do
		! cluster_try_start || { cluster_print_env >"$CLUSTER_DIR/env" && return 0; }
		cluster_stop_daemons
		cluster_port_was_taken || break
		cluster_say "start $try failed, a port was taken; once more"
		rm -f "$CLUSTER_LOG"/*
	done
	cluster_say "could not be started; last words:"
	tail -n 5 "$CLUSTER_LOG"/* >&2 || true
	return 1
}

cluster_stop_daemons()
{
	local names=() name
	for name in "$CLUSTER_DIR"/run/*.pid; do
		name=$(basename "$name" .pid)
		[[ $name == munged || $name == '*' ]] || names+=("$name")
	done
	for name in "${names[@]}"; do
		! cluster_alive "$name" || kill -TERM "$(cat "$CLUSTER_DIR/run/$name.pid")" 2>/dev/null || true
	done
	for name in "${names[@]}"; do
		cluster_kill "$name" TERM
	done
}

# slurmstepd writes its title over its environment; it is known by the log that it has open.
cluster_owns_stepd()
{
	[[ $(cat "$1/comm" 2>/dev/null) == slurmstepd ]] &&
		find "$1/fd" -lname "$CLUSTER_DIR/*" 2>/dev/null | grep -q .
}

# Prints the pids of processes that belong to the cluster: daemons by the mark in their environment,
# steps, and jobs by the cluster's SLURM_CONF together with a job id.
cluster_processes()
{
	local dir env
	for dir in /proc/[0-9]*; do
		env=$(tr '\0' '\n' <"$dir/environ" 2>/dev/null) || continue
		if grep -qFx "CKPT_CLUSTER_OF=$CLUSTER_DIR" <<<"$env" || cluster_owns_stepd "$dir"; then
			echo "${dir#/proc/}"
		elif grep -qFx "SLURM_CONF=$CLUSTER_DIR/etc/slurm.conf" <<<"$env" &&
			grep -q '^SLURM_JOB_ID=' <<<"$env"; then
			echo "${dir#/proc/}"
		fi
	done 2>/dev/null
}

cluster_none_left() { [[ -z $(cluster_processes) ]]; }

cluster_no_jobs() { [[ -z $(squeue -h -o %i 2>/dev/null) ]]; }

# Ends everything, checks that nothing is left, removes the directory. Harmless when called twice.
cluster_stop()
{
	local pids rc=0
	[[ -n ${CLUSTER_DIR:-} && -d $CLUSTER_DIR ]] || return 0
	if cluster_alive slurmctld; then
		timeout 5 scancel -u "$CLUSTER_USER" 2>/dev/null || true
		cluster_until 5 cluster_no_jobs || true
	fi
	cluster_stop_daemons
	cluster_kill munged TERM
	if ! cluster_until 2 cluster_none_left; then
		pids=$(cluster_processes)
		# shellcheck disable=SC2086
		kill -KILL $pids 2>/dev/null || true
		cluster_until 5 cluster_none_left || rc=1
	fi
	((rc == 0)) || cluster_say "processes left: $(cluster_processes | tr '\n' ' ')"
	if [[ ${CLUSTER_KEEP:-0} == 1 ]]; then
		cluster_say "stopped; files kept in $CLUSTER_DIR"
	else
		rm -rf --one-file-system "$CLUSTER_DIR"
	fi
	return "$rc"
}

# As shell code: what a later shell needs to find the cluster again. It is also in CLUSTER_DIR/env.
cluster_print_env()
{
	local name
	for name in CLUSTER_DIR CLUSTER_WORK CLUSTER_LOG CLUSTER_USER CLUSTER_NODES SLURM_CONF; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done
}

# --- for tests ---

# slurm_since YYMM: the installed release is that one or a later one.
slurm_since()
{
	local version
	version=$(slurmctld -V | grep -oE '[0-9]+\.[0-9]+' | head -n 1)
	((10#${version%.*} * 100 + 10#${version#*.} >= $1))
}

# owner_logs_in: --export=NONE has slurmd ask su for the user's own environment; a job for which that fails starts
# without it, and since 25.05 is put back and held (slurmd/req.c, _get_user_env).
owner_logs_in() { ! slurm_since 2505 || su - "$CLUSTER_USER" -c true >/dev/null 2>&1; }

# as_user [NAME=VALUE...] COMMAND...: as the jobs' owner, in its directory, with a clean environment.
as_user()
{
	local clean=(env -i "PATH=/usr/local/bin:/usr/bin:/bin:$CLUSTER_DIR/lib" "HOME=$CLUSTER_WORK"
		"USER=$CLUSTER_USER" LANG=C.UTF-8 "SLURM_CONF=$SLURM_CONF")
	local drop=()
	((EUID != 0)) || drop=(setpriv --reuid "$CLUSTER_USER" --regid "$(id -g "$CLUSTER_USER")"
		--init-groups --)
	(cd "${CLUSTER_CWD:-$CLUSTER_WORK}" && exec "${drop[@]}" "${clean[@]}" "$@")
}

# submit SBATCH-ARGUMENTS...: prints the job id.
submit() { as_user sbatch --parsable "$@"; }

# job_field JOB FIELD: a field of scontrol show job, such as JobState, Restarts, BatchHost, ExitCode.
job_field()
{
	scontrol -o show job "$1" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$2=//p" | head -n 1
}

job_in_state() { [[ " $2 " == *" $(job_field "$1" JobState) "* ]]; }

# wait_state JOB 'STATE...' [SECONDS]: until the job is in one of these states.
wait_state()
{
	cluster_until "${3:-60}" job_in_state "$1" "$2" && return 0
	echo "job $1 is $(job_field "$1" JobState) ($(job_field "$1" Reason)), wanted: $2" >&2
	return 1
}

# wait_done JOB [SECONDS]: until the job has ended for good.
wait_done() { wait_state "$1" 'COMPLETED FAILED CANCELLED TIMEOUT NODE_FAIL PREEMPTED' "${2:-60}"; }

# A requeued job waits for cred_expire (6 s here); tests need not, a demo of the real thing does. Below
# two seconds slurmd may take the new credential for the revoked one, and run no prolog.
job_hurry()
{
	[[ ${CLUSTER_HURRY:-1} == 1 && $(job_field "$1" Reason) == BeginTime ]] || return 0
	(($(date +%s) - $(date -d "$(job_field "$1" SubmitTime)" +%s) >= 2)) || return 0
	scontrol update "JobId=$1" StartTime=now 2>/dev/null || true
}

job_on_attempt()
{
	[[ $(job_field "$1" Restarts) != "$2" ]] || ! job_in_state "$1" "${3:-RUNNING}" || return 0
	job_hurry "$1"
	return 1
}

# wait_attempt JOB N [SECONDS]: until the job runs, or has run, for the (N + 1)th time.
wait_attempt()
{
	cluster_until "${3:-60}" job_on_attempt "$1" "$2" 'RUNNING COMPLETED FAILED' && return 0
	echo "job $1 is $(job_field "$1" JobState) on attempt $(job_field "$1" Restarts)," \
		"wanted: running on attempt $2" >&2
	return 1
}

# wait_file PATH [SECONDS]
wait_file()
{
	cluster_until "${2:-60}" test -s "$1" && return 0
	echo "$1 did not appear" >&2
	return 1
}

job_off_node() { ! job_in_state "$1" RUNNING; }

# preempt JOB [SECONDS]: a job of partition high takes the node of JOB, for SECONDS.
preempt()
{
	local node high
	node=$(job_field "$1" BatchHost)
	high=$(submit -p high -w "$node" -o /dev/null --wrap "sleep ${2:-1}")
	cluster_until 60 job_off_node "$1" || { echo "job $1 was not preempted by $high" >&2; return 1; }
	wait_state "$high" COMPLETED $((${2:-1} + 60))
}

# cluster_kill_steps JOB [NODE]: ends its steps as a node that dies would: slurmstepd first, so that nobody is
# told. Without NODE on all of them; a program's node is the one that its slurmstepd said.
cluster_kill_steps()
{
	local pid pids
	pids=$(cluster_processes)
	for pid in $pids; do
		! cluster_is_stepd_of "$pid" "$@" || kill -KILL "$pid"
	done
	for pid in $pids; do
		! { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | grep -qx "SLURM_JOB_ID=$1" ||
			[[ -n ${2:-} && $(cluster_node_of "$pid") != "$2" ]] || kill -KILL "$pid" 2>/dev/null || true
	done
}

cluster_is_stepd_of()
{
	{ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null | grep -q "^slurmstepd: \[$2\." || return 1
	[[ -z ${3:-} ]] || find "/proc/$1/fd" -lname "$CLUSTER_LOG/$3.log" 2>/dev/null | grep -q .
}

cluster_node_of() { { tr '\0' '\n' <"/proc/$1/environ"; } 2>/dev/null | sed -n 's/^SLURMD_NODENAME=//p'; }

# Brings back what a failed test left behind: dead slurmd, nodes that are down or drained.
cluster_heal()
{
	local n
	scancel -u "$CLUSTER_USER" 2>/dev/null || true
	! cluster_until 10 cluster_all_idle || return 0
	for ((n = 1; n <= CLUSTER_NODES; n++)); do
		cluster_alive "n$n" || start_slurmd "n$n"
		scontrol update "NodeName=n$n" State=DOWN Reason=heal 2>/dev/null || true
		scontrol update "NodeName=n$n" State=RESUME 2>/dev/null || true
	done
	cluster_until 20 cluster_all_idle
}

# cluster_node_is NODE 'STATE...'
cluster_node_is() { [[ " $2 " == *" $(sinfo -h -N -p low -n "$1" -o %T) "* ]]; }

# requeue JOB: as a user would.
requeue() { as_user scontrol requeue "$1"; }

# nodes_idle [SECONDS]: every node idle, none drained, every slurmd alive; else says what is wrong.
nodes_idle()
{
	cluster_until "${1:-60}" cluster_all_idle && return 0
	echo "nodes not idle: $(sinfo -h -N -o '%N=%T(%E)' | tr '\n' ' ')" >&2
	return 1
}
