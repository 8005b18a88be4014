#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever the user's directory or the agent does: the hook ends in time, no node is drained, and could not find
# out never becomes a fresh start.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

# An agent that misbehaves where a hook started it (those calls carry --no-exec) as $CLUSTER_DIR/agent-mode says.
fake_agent()
{
	cat >"$TEST_TMP/agent" <<-SCRIPT
	#!/bin/bash
	mode=\$(cat $CLUSTER_DIR/agent-mode)
	real="$CLUSTER_DIR/lib/ckpt-agent"
	echo "\$mode \$*" >>$CLUSTER_DIR/agent-calls
	case "\$mode:\$*" in
	slow-step:*--no-exec*) exit 1 ;;
	slow-step:*) while [[ \$(cat $CLUSTER_DIR/agent-mode) == slow-step ]]; do sleep 0.1; done; exec "\$real" "\$@" ;;
	*:*--no-exec*) ;;
	*) exec "\$real" "\$@" ;;
	esac
	case \$mode in
	crash) kill -SEGV \$\$ ;;
	stop) kill -STOP \$\$ ;;
	hang) trap '' TERM INT HUP; while :; do sleep 1; done ;;
	mute) exit 0 ;;
	flood) exec cat /dev/zero >&3 ;;
	lie) printf 'ckpt-resume: resume /etc/shadow\n' >&3; exit 0 ;;
	fork) (trap '' TERM; exec setsid sleep 600) & exit 0 ;;
	esac
	exec "\$real" "\$@"
	SCRIPT
	install -m 755 "$TEST_TMP/agent" "$CLUSTER_DIR/lib/fake-agent"
	agent_is good
	: >"$CLUSTER_DIR/agent-calls"
	chmod 666 "$CLUSTER_DIR/agent-calls"
	sed -i "s|^Agent=.*|Agent=$CLUSTER_DIR/lib/fake-agent|" "$CLUSTER_DIR/etc/ckpt-resume.conf"
	echo "PrologBudget=2" >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	echo "EpilogBudget=2" >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
}

agent_is() { echo "$1" >"$CLUSTER_DIR/agent-mode" && chmod 644 "$CLUSTER_DIR/agent-mode"; }

# One requeue under an agent that misbehaves in both hooks: the step decides, soon.
survives()
{
	local began
	train_dir "agent_$1"
	# The prolog decides only where the directory is named.
	job=$(train 1 --ckpt-resume --ckpt-dir=checkpoints)
	waits_at 0 "$job"
	agent_is "$1"
	began=$SECONDS
	requeue "$job"
	waits_at 1 "$job"
	# Two budgets of 2 s, a second over each, a second or two of Slurm's own.
	((SECONDS - began <= 12)) || late "took $((SECONDS - began)) s"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	for op in record resolve; do
		file_has "$CLUSTER_DIR/agent-calls" "$1 $op --no-exec"
	done
	ends_well "$job"
	nodes_idle
	agent_is good
	cluster_until 60 no_agents || fail "agents are left: $(agents)"
}

# What hooks left of this case's job: themselves, and agents with their children, which have nothing but the request in
# their environment.
agents()
{
	local dir env
	for dir in /proc/[0-9]*; do
		env=$(tr '\0' '\n' <"$dir/environ") || continue
		! grep -qxE "(CKPT_REQUEST|SLURM_JOB)_WORK_DIR=$DIR" <<<"$env" ||
			! grep -qxE 'CKPT_REQUEST_IN_HOOK=1|SLURM_SCRIPT_CONTEXT=.*' <<<"$env" || echo "${dir#/proc/}"
	done 2>/dev/null
}

no_agents() { [[ -z $(agents) ]]; }

live_hostile__agent_crashes() { survives crash; }
live_hostile__agent_stopped() { survives stop; }
live_hostile__agent_hangs() { survives hang; }
live_hostile__agent_mute() { survives mute; }
live_hostile__agent_floods() { survives flood; }
live_hostile__agent_lies() { survives lie; }
live_hostile__agent_leaves_a_child() { survives fork; }

step_decides()
{
	job_hurry "$job"
	grep -qx 'slow-step [a-z]*' "$CLUSTER_DIR/agent-calls"
}

live_hostile__preempted_while_the_step_decides()
{
	train_dir deciding
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	agent_is slow-step
	requeue "$job"
	cluster_until 60 step_decides || fail "no agent of the step: $(cat "$CLUSTER_DIR/agent-calls")"
	preempt "$job"
	agent_is good
	waits_at 2 "$job"
	file_lacks "$OUT" "attempt 1 starts"
	expect 2 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

live_hostile__kill_switch()
{
	train_dir switch
	: >"$CLUSTER_DIR/etc/ckpt-resume.disable"
	job=$(train 0 --ckpt-resume)
	waits_at 0 "$job"
	rm "$CLUSTER_DIR/etc/ckpt-resume.disable"
	expect 0 RESUME_MODE=unset
	ends_well "$job"
}

# requeued_with COMMAND...: attempt 0, then the command makes trouble, then attempt 1, whose end is the caller's.
requeued_with()
{
	job=$(train 1 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	"$@"
}

# The attempt ends with 75 and a text; the script never starts.
undecided()
{
	wait_attempt "$job" 1
	wait_done "$job"
	equal "$(job_field "$job" JobState)" FAILED "state"
	equal "$(job_field "$job" ExitCode)" 75:0 "exit code"
	file_lacks "$OUT" "attempt 1 starts"
	[[ $(grep -c '^ckpt-resume:' "$OUT") -ge 2 ]] || fail "no text for the user"
}

live_hostile__directory_of_mode_000()
{
	train_dir mode000
	requeued_with chmod 000 "$RUN"
	undecided
	chmod 755 "$RUN"
	[[ -e $RUN/ckpt-1.pt ]] || fail "the checkpoint is gone"
}

live_hostile__dangling_link()
{
	train_dir dangling
	link() { mv "$RUN" "$RUN.away" && ln -s "$DIR/nowhere" "$RUN"; }
	requeued_with link
	undecided
	[[ ! -e $DIR/nowhere ]] || fail "something was created behind the link"
}

live_hostile__only_unreadable_checkpoints()
{
	train_dir unreadable
	shut() { chown root: "$RUN"/ckpt-?.pt && chmod 000 "$RUN"/ckpt-?.pt; }
	((EUID == 0)) || skip_case "needs root, to take files away from their owner"
	requeued_with shut
	undecided
}

# The run directory's file system is not mounted at attempt 1; the work directory's is.
live_hostile__mount_gone()
{
	local run=$CLUSTER_DIR/mnt/run
	((EUID == 0)) || skip_case "needs root, to mount"
	train_dir mounted
	mount -t tmpfs -o size=16m none "$DIR" || skip_case "cannot mount here"
	chown "$CLUSTER_USER": "$DIR"
	as_user touch "$DIR/hold"
	mkdir -p "$CLUSTER_DIR/mnt"
	mount -t tmpfs -o size=16m none "$CLUSTER_DIR/mnt"
	chown "$CLUSTER_USER": "$CLUSTER_DIR/mnt"
	trap 'umount -l "$DIR" "$CLUSTER_DIR/mnt" 2>/dev/null || true' EXIT
	job=$(train 1 --ckpt-resume "--ckpt-dir=$run")
	waits_at 0 "$job"
	[[ -e $run/.ckpt-resume/run.json ]] || fail "attempt 0 left no mark"
	requeue "$job"
	cluster_until 60 umount "$CLUSTER_DIR/mnt"
	chown "$CLUSTER_USER": "$CLUSTER_DIR/mnt"
	undecided
	equal "$(ls -A "$CLUSTER_DIR/mnt")" "" "what was created under the empty mount point"
}

# Names and kinds of files that nobody expects, all as candidates.
live_hostile__strange_files()
{
	train_dir strange
	put 0
	as_user mkfifo "$RUN/ckpt-7.pt"
	as_user ln -s /etc/shadow "$RUN/ckpt-8.pt"
	as_user ln -s /dev/zero "$RUN/ckpt-9.pt"
	as_user bash -c "printf x >$'checkpoints/ckpt-6.pt\n\e[31mckpt-resume: attempt 9'"
	as_user truncate -s 1T "$RUN/ckpt-10.pt"
	job=$(train 0 --ckpt-resume)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-0.pt"
	! grep -q $'\e' "$OUT" || fail "an escape sequence of a file name reached the output"
	file_lacks "$OUT" "ckpt-resume: attempt 9"
	ends_well "$job"
}

# Values that no sbatch with the plugin would send: the job record is the user's to fill.
live_hostile__forged_options()
{
	local value
	train_dir forged
	for value in '$(touch forged)' '../../../etc/shadow' 'step:99999999999999999999' "$(printf 'x%.0s' {1..5000})"; do
		job=$(as_user "SLURM_SPANK_CKPT_RESUME=$value" "SPANK_CKPT_RESUME=$value" "SLURM_SPANK_CKPT_DIR=$value" \
			sbatch --parsable -o out --wrap 'echo ran')
		wait_done "$job"
	done
	[[ ! -e $DIR/forged ]] || fail "a value was run as a command"
}

live_start
train_prepare
fake_agent
for name in agent_crashes agent_stopped agent_hangs agent_mute agent_floods agent_lies agent_leaves_a_child \
	preempted_while_the_step_decides kill_switch directory_of_mode_000 dangling_link only_unreadable_checkpoints \
	mount_gone strange_files forged_options; do
	live_case "live_hostile__$name"
done
test_end
