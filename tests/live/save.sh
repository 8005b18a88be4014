#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A job that is told to save: each of its programs is told once, wherever it runs, and has the time that it takes.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

# Attempt 0 saves ckpt-0 and runs the program under what follows it; the next one only says what it starts from.
prepare()
{
	cat >"$TRAIN_POOL/save.sh" <<-'PROGRAM'
	#!/bin/bash
	# save.sh POOL HOW [SRUN...]
	attempt=${SLURM_RESTART_COUNT:-0}
	echo "attempt $attempt reason $CKPT_RESUME_REASON from ${CKPT_RESUME_PATH##*/}"
	((attempt == 0)) || exit 0
	mkdir -p checkpoints
	cp "$1/ckpt-0.pt" checkpoints/
	"${@:3}" python3 "$1/save.py" "$1" "$2"
	sleep 1
	echo "the script went on"
	PROGRAM
	cat >"$TRAIN_POOL/save.py" <<-'PROGRAM'
	import os, shutil, signal, sys, time
	pool, how = sys.argv[1:]
	rank = int(os.environ.get("SLURM_PROCID", 0)) if "SLURM_STEP_ID" in os.environ else 0
	def write(n, name):
	    shutil.copy(f"{pool}/ckpt-{n}.pt", "checkpoints/.new")
	    os.rename("checkpoints/.new", "checkpoints/" + name)
	def save(number, frame):
	    print("told", number, "rank", rank, flush=True)
	    signal.signal(number, signal.SIG_DFL)  # a second one would kill it
	    if how == "slow":
	        time.sleep(6)
	        if rank == 0: write(1, "ckpt-1.pt")
	    elif how == "two":
	        write(1, "G_1.pt")
	        time.sleep(8)
	        write(2, "D_1.pt")
	    print("saved by rank", rank, flush=True)
	    sys.exit(0)
	for name in ("USR1", "TERM"): signal.signal(getattr(signal, "SIG" + name), save)
	print("rank waits", flush=True)
	while True: time.sleep(60)
	PROGRAM
	chmod 755 "$TRAIN_POOL"/save.*
}

# has N TEXT: the job said it so often.
has() { equal "$(grep -cF -- "$2" "$OUT")" "$1" "lines with '$2' in: $(cat "$OUT")"; }

# under_srun NAME NODES: starts a job of two ranks, on so many nodes, that is told by signal NAME. Sets JOB.
under_srun()
{
	train_dir "srun-$1-$2"
	JOB=$(submit -o out -N "$2" --ckpt-resume --ckpt-stall=6s --ckpt-signal="$1" \
		"$TRAIN_POOL/save.sh" "$TRAIN_POOL" slow srun -u -O -n2)
}

# ranks_saved NAME JOB: each rank was told once, and had its time.
ranks_saved()
{
	wait_said "attempt 1 reason" 120
	has 2 "told $(kill -l "$1")"
	has 2 "told"
	has 2 "saved by rank"
	file_has "$OUT" "a checkpoint was saved; requeueing"
	file_has "$OUT" "attempt 1 reason stalled from ckpt-1.pt"
	file_lacks "$OUT" "the script went on"
	file_lacks "$OUT" "forcing job termination"
	wait_state "$2" COMPLETED
}

live_save__srun_of_one_node()
{
	local first
	under_srun USR1 1
	first=$JOB
	under_srun TERM 1
	ranks_saved TERM "$JOB"
	train_dir srun-USR1-1
	ranks_saved USR1 "$first"
}

live_save__srun_of_two_nodes()
{
	under_srun USR1 2
	ranks_saved USR1 "$JOB"
	under_srun TERM 2
	ranks_saved TERM "$JOB"
}

# The second of two files is waited for, as long as the program that writes it lives.
live_save__two_files()
{
	train_dir two
	job=$(submit -o out --ckpt-resume --ckpt-stall=6s '--ckpt-glob=*.pt' "$TRAIN_POOL/save.sh" "$TRAIN_POOL" two)
	wait_said "attempt 1 reason" 120
	has 1 "saved by rank"
	file_has "$OUT" "a checkpoint was saved; requeueing"
	file_has "$OUT" "attempt 1 reason stalled from D_1.pt"
	wait_state "$job" COMPLETED
}

# Nothing is waited for once the program is gone.
live_save__gone_without_one()
{
	train_dir gone
	job=$(submit -o out --ckpt-resume --ckpt-stall=6s "$TRAIN_POOL/save.sh" "$TRAIN_POOL" nothing)
	wait_said "saved by rank"
	wait_said "no new checkpoint was seen; requeueing" 20
	wait_said "attempt 1 reason stalled from ckpt-0.pt"
	file_lacks "$OUT" "the script went on"
	wait_state "$job" COMPLETED
}

# The time before the limit begins when it was asked for, and the shortest that is allowed is long enough.
live_save__shortest_before_the_limit()
{
	train_dir limit
	job=$(submit -o out --time=1 --ckpt-resume --ckpt-before-limit=30s "$TRAIN_POOL/save.sh" "$TRAIN_POOL" slow)
	wait_said "the time limit is" 90
	grep -qE 'the time limit is (2[789]|30) ?s' "$OUT" || fail "told at another time: $(grep "time limit" "$OUT")"
	wait_said "attempt 1 reason" 120
	file_has "$OUT" "a checkpoint was saved; requeueing"
	file_has "$OUT" "attempt 1 reason time-limit from ckpt-1.pt"
	wait_state "$job" COMPLETED
}

# The last task of an array has the array's own number: what it is told is for it alone.
live_save__array_task_alone()
{
	local at_work
	train_dir array
	as_user tee "$DIR/job.sh" >/dev/null <<-'SCRIPT'
	#!/bin/bash
	((SLURM_ARRAY_TASK_ID == 1)) || exec "$@"
	srun -u -O -n2 bash -c 'trap "echo told" TERM; while [[ -e hold ]]; do echo; sleep 1; done'
	SCRIPT
	JOB=$(submit -o 'out-%a' -N 2 --array=1-2 --ckpt-resume --ckpt-dir='run-%a' --ckpt-stall=6s --ckpt-signal=TERM \
		"$DIR/job.sh" bash "$TRAIN_POOL/save.sh" "$TRAIN_POOL" gone srun -u -O -n2)
	OUT=$DIR/out-2
	wait_said "attempt 1 reason stalled" 120
	at_work=$(job_field "${JOB}_1" JobId)
	equal "$(job_field "${JOB}_2" JobId)" "$JOB" "the last task's number"
	has 2 "told $(kill -l TERM)"
	equal "$(job_field "$at_work" JobState) $(job_field "$at_work" Restarts)" "RUNNING 0" "the other task"
	file_lacks "$DIR/out-1" told
	let_go
	wait_state "$at_work" COMPLETED
}

CLUSTER_CPUS=2
live_start
train_prepare
prepare
for name in srun_of_one_node srun_of_two_nodes array_task_alone two_files gone_without_one shortest_before_the_limit; do
	live_case "live_save__$name"
done
test_end
