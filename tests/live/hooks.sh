#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hooks on a cluster: jobs that did not ask, several slurmd a host, a missing agent.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

spool_of() { find "$CLUSTER_DIR/spool" -mindepth 3 -maxdepth 3 -name "$1" -type d; }

live_hooks__nothing_for_jobs_that_did_not_ask()
{
	local job
	job=$(submit -o "$CLUSTER_WORK/plain.out" --wrap true)
	wait_state "$job" COMPLETED
	equal "$(spool_of "$job")" "" "spool of a job that did not ask"
}

# Several slurmd on one host keep apart.
live_hooks__spools_do_not_mix()
{
	local job other
	train_dir apart
	job=$(train 0 --ckpt-resume -w n1)
	train_dir apart_too
	other=$(train 1 --ckpt-resume -w n3)
	waits_at 0 "$other"
	wait_attempt "$job" 0
	equal "$(spool_of "$job")" "$CLUSTER_DIR/spool/ckpttest/n1/$job" "spool of the first job"
	equal "$(spool_of "$other")" "$CLUSTER_DIR/spool/ckpttest/n3/$other" "spool of the second job"
	equal "$(stat -c %a:%U "$(spool_of "$job")")" "700:$(id -un)" "mode and owner of the spool"
	ends_well "$other"
	train_dir apart
	ends_well "$job"
}

# An epilog of a node that the job does not run on any more changes nothing there.
live_hooks__many_nodes_one_batch_host()
{
	train_dir wide
	job=$(train 1 --ckpt-resume -N 3)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

live_hooks__agent_is_missing()
{
	local job
	train_dir missing
	mv "$CLUSTER_DIR/lib/ckpt-agent" "$CLUSTER_DIR/lib/away"
	job=$(train 0 --ckpt-resume)
	wait_done "$job"
	mv "$CLUSTER_DIR/lib/away" "$CLUSTER_DIR/lib/ckpt-agent"
	nodes_idle
	equal "$(job_field "$job" ExitCode)" 75:0 "exit code of a job that nobody could decide for"
}

# A configuration that does not hold water must not stop the cluster.
live_hooks__bad_configuration()
{
	local job
	cp "$CLUSTER_DIR/etc/ckpt-resume.conf" "$TEST_TMP/good.conf"
	echo "NoSuchKey=1" >>"$CLUSTER_DIR/etc/ckpt-resume.conf"
	exits 1 "$CLUSTER_DIR/lib/ckpt-hook" --check "$CLUSTER_DIR/etc/ckpt-resume.conf"
	job=$(submit -o "$CLUSTER_WORK/bad.out" --wrap true)
	wait_state "$job" COMPLETED
	cp "$TEST_TMP/good.conf" "$CLUSTER_DIR/etc/ckpt-resume.conf"
	"$CLUSTER_DIR/lib/ckpt-hook" --check "$CLUSTER_DIR/etc/ckpt-resume.conf"
}

CLUSTER_NODES=3
live_start
train_prepare
for name in nothing_for_jobs_that_did_not_ask spools_do_not_mix many_nodes_one_batch_host agent_is_missing \
	bad_configuration; do
	live_case "live_hooks__$name"
done
test_end
