#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The plugin without hooks, as a required one: the step decides by itself. And what lives inside a job.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

live_plugin_only__preempted_and_damaged()
{
	train_dir preempted
	job=$(train 3 --ckpt-resume --ckpt-epoch=completed)
	waits_at 0 "$job"
	expect 0 RESUME_MODE=fresh ATTEMPT=0
	preempt "$job"
	damage 3
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-2.pt" START_EPOCH=3 ATTEMPT=1
	ends_well "$job"
}

live_plugin_only__export_none()
{
	owner_logs_in || skip_case "$CLUSTER_USER has no shell to log in with"
	train_dir export
	job=$(train 1 --ckpt-resume --export=NONE)
	waits_at 0 "$job"
	requeue "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

live_plugin_only__pinned_and_damaged()
{
	train_dir pinned
	put 0 1
	damage 1
	job=$(train 1 "--ckpt-resume=$RUN/ckpt-1.pt")
	wait_state "$job" FAILED
	equal "$(job_field "$job" ExitCode)" 65:0 "exit code"
	file_lacks "$OUT" "attempt 0 starts"
}

# Every step of a job gets the job's decision, never one of its own.
live_plugin_only__steps_inherit()
{
	train_dir steps
	put 0 1
	cat >"$CLUSTER_DIR/pool/steps.sh" <<-'PROGRAM'
	#!/bin/bash
	echo "batch $CKPT_RESUME_PATH $CKPT_ATTEMPT"
	cp checkpoints/ckpt-1.pt checkpoints/ckpt-2.pt
	srun bash -c 'echo "step $CKPT_RESUME_PATH $CKPT_ATTEMPT"'
	srun --export=NONE /bin/bash -c 'echo "bare $CKPT_RESUME_PATH $CKPT_ATTEMPT"'
	PROGRAM
	job=$(submit -o out --ckpt-resume "$CLUSTER_DIR/pool/steps.sh")
	wait_state "$job" COMPLETED
	for name in batch step bare; do
		file_has "$OUT" "$name $RUN/ckpt-1.pt 0"
	done
	equal "$(grep -c '^ckpt-resume: attempt' "$OUT")" 1 "lines with a decision"
}

# Tasks that come late begin where the first one began, which has saved since; the next step goes on from there.
live_plugin_only__tasks_decide_together()
{
	local step
	train_dir together
	put 0 1
	cat >"$CLUSTER_DIR/pool/task.sh" <<-'PROGRAM'
	#!/bin/bash
	sleep $((SLURM_PROCID * 2))
	exec "$1/ckptctl" exec -- bash -c '
		echo "step $SLURM_STEP_ID task $SLURM_PROCID: ${CKPT_RESUME_PATH##*/}"
		((SLURM_PROCID)) || cp "$0/ckpt-$((SLURM_STEP_ID + 2)).pt" checkpoints/' "$2"
	PROGRAM
	cat >"$CLUSTER_DIR/pool/together.sh" <<-'PROGRAM'
	#!/bin/bash
	for step in 0 1; do srun -O -n 3 "$1/task.sh" "$2" "$1"; done
	PROGRAM
	chmod 755 "$CLUSTER_DIR/pool/task.sh" "$CLUSTER_DIR/pool/together.sh"
	job=$(submit -o out -N 2 --ckpt-resume "$CLUSTER_DIR/pool/together.sh" "$CLUSTER_DIR/pool" "$CLUSTER_DIR/lib")
	wait_state "$job" COMPLETED
	for step in 0 1; do
		equal "$(grep "^step $step task" "$OUT" | sed 's/.*: //' | sort | uniq -c | xargs)" \
			"3 ckpt-$((step + 1)).pt" "what the tasks of step $step began with"
	done
}

live_plugin_only__salloc_decides_once()
{
	train_dir salloc
	put 0 1
	as_user salloc --ckpt-resume srun bash -c 'echo "step $CKPT_RESUME_MODE $CKPT_RESUME_PATH"' >"$TEST_TMP/salloc" 2>&1
	file_has "$TEST_TMP/salloc" "step resume $RUN/ckpt-1.pt"
}

# A job that submits another one hands its own decision to nobody.
live_plugin_only__job_from_inside_a_job()
{
	local inner
	train_dir outer
	put 0 1
	cat >"$CLUSTER_DIR/pool/outer.sh" <<-'PROGRAM'
	#!/bin/bash
	mkdir -p inner
	(( ${SLURM_RESTART_COUNT:-0} == 0 )) ||
		sbatch --parsable -D inner -o out --wrap 'env | grep "^CKPT_"; echo end' >inner/id
	while [[ -e hold ]]; do sleep 0.1; done
	PROGRAM
	job=$(submit -o out -w n1 --ckpt-resume "$CLUSTER_DIR/pool/outer.sh")
	wait_attempt "$job" 0
	wait_said "ckpt-resume: attempt 0"
	requeue "$job"
	wait_attempt "$job" 1
	wait_file "$DIR/inner/id"
	inner=$(cat "$DIR/inner/id")
	wait_state "$inner" COMPLETED
	file_has "$DIR/inner/out" end
	file_lacks "$DIR/inner/out" "$RUN/ckpt-1.pt"
	file_lacks "$DIR/inner/out" "CKPT_JOB=$job"
	file_lacks "$DIR/inner/out" "CKPT_ATTEMPT=1"
	ends_well "$job"
}

# What a user's shell had from another job is not this job's.
live_plugin_only__foreign_variables_are_dropped()
{
	train_dir foreign
	job=$(as_user CKPT_RESUME_PATH=/of-another CKPT_JOB=999 CKPT_ATTEMPT=7 SLURM_RESTART_COUNT=7 \
		sbatch --parsable -o out --ckpt-resume --wrap 'env | grep ^CKPT_; echo end')
	wait_state "$job" COMPLETED
	file_has "$OUT" end
	file_lacks "$OUT" /of-another
	file_has "$OUT" "CKPT_ATTEMPT=0"
	file_has "$OUT" "CKPT_JOB=$job"
}

CLUSTER_PLUGIN=required CLUSTER_HOOKS=off
live_start
train_prepare
for name in preempted_and_damaged export_none pinned_and_damaged steps_inherit tasks_decide_together salloc_decides_once \
	job_from_inside_a_job foreign_variables_are_dropped; do
	live_case "live_plugin_only__$name"
done
test_end
