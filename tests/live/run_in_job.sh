#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prolog and epilog inside of the job (PrologFlags=RunInJob, 24.05 and later): the epilog has the restart count and the
# exit code of the attempt's start, whatever the end was.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"
. "$(dirname "$0")/../lib/life.sh"
if ! slurm_since 2405 || ((EUID != 0)) || [[ ! -d /sys/fs/cgroup/freezer ]]; then
	echo "skip live_run_in_job: this Slurm has no RunInJob, or no control groups of version 1 are ours"
	exit 0
fi

# traps NAME: a job whose script itself leaves with 0 when it is told to, in KillWait.
traps()
{
	train_dir "$1"
	as_user tee "$DIR/job.sh" >/dev/null <<-SCRIPT
	#!/bin/bash
	trap 'exit 0' TERM
	attempt=\${SLURM_RESTART_COUNT:-0}
	mkdir -p checkpoints
	cp $TRAIN_POOL/ckpt-\$attempt.pt checkpoints/
	echo "attempt \$attempt from \${CKPT_RESUME_PATH##*/} (\$CKPT_RESUME_REASON)"
	echo on
	while [[ -e hold ]]; do sleep 0.1; done
	SCRIPT
	JOB=$(submit -o out -p low --ckpt-resume "$DIR/job.sh")
	is_on 0
}

live_run_in_job__preempted_and_left_with_0()
{
	traps preempted
	preempt "$JOB"
	expect_event end 0 cause preempted
	equal "$(event end 0 finished)" null finished
	goes_on 1 ckpt-0.pt preempted
	scancel "$JOB"
}

live_run_in_job__requeued_and_left_with_0()
{
	traps requeued
	requeue "$JOB"
	expect_event end 0 cause requeued
	goes_on 1 ckpt-0.pt requeued
	scancel "$JOB"
}

live_run_in_job__finished()
{
	traps finished
	let_go
	wait_state "$JOB" COMPLETED
	expect_event end 0 cause finished
	equal "$(job_field "$JOB" Restarts)" 0 restarts
}

live_run_in_job__killed()
{
	SAVES="cp $TRAIN_POOL/ckpt-0.pt checkpoints/; kill -KILL \$\$" life killed 0
	wait_state "$JOB" FAILED
	expect_event end 0 cause signal
}

CLUSTER_PROCTRACK=cgroup
CLUSTER_CONF=PrologFlags=RunInJob
live_start
train_prepare
for name in preempted_and_left_with_0 requeued_and_left_with_0 finished killed; do
	live_case "live_run_in_job__$name"
done
test_end
