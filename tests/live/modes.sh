#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# --ckpt-resume=MODE: pinned, best, fresh, rollback; what later attempts make of them; refused values.
set -eu
. "$(dirname "$0")/../lib/live.sh"
. "$(dirname "$0")/../lib/train.sh"

live_modes__pinned_path()
{
	train_dir pinned
	put 0 1 2 3
	job=$(train 2 "--ckpt-resume=$RUN/ckpt-1.pt")
	waits_at 0 "$job"
	expect 0 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt" RESUME_STEP=20
	ends_well "$job"
}

live_modes__pinned_epoch()
{
	train_dir epoch
	put 0 1 2 3
	job=$(train 3 --ckpt-resume=epoch:2)
	waits_at 0 "$job"
	expect 0 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-2.pt"
	ends_well "$job"
}

live_modes__pinned_and_damaged()
{
	train_dir pinned_damaged
	put 0 1 2
	damage 1
	job=$(train 2 "--ckpt-resume=$RUN/ckpt-1.pt")
	wait_state "$job" FAILED
	equal "$(job_field "$job" ExitCode)" 65:0 "exit code"
	file_has "$OUT" "ckpt-resume:"
	file_has "$OUT" "ckpt-1.pt"
	file_lacks "$OUT" "attempt 0 starts"
	[[ -e $RUN/ckpt-0.pt && -e $RUN/ckpt-2.pt ]] || fail "checkpoints are gone"
}

live_modes__pinned_start_preempted_three_times()
{
	local attempt
	train_dir thrice
	put 0 1 2 3 4 5 6 7
	job=$(submit -o out -p low "--ckpt-resume=$RUN/ckpt-1.pt" --ckpt-epoch=completed "$TRAIN_POOL/train.sh" "$TRAIN_POOL" 2)
	waits_at 0 "$job"
	for attempt in 1 2 3; do
		as_user cp "$TRAIN_POOL/ckpt-$((attempt + 1)).pt" "$RUN/new"
		as_user mv "$RUN/new" "$RUN/ckpt-$((attempt + 1)).pt"
		preempt "$job"
		waits_at "$attempt" "$job"
		expect "$attempt" RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-$((attempt + 1)).pt"
	done
	ends_well "$job"
}

live_modes__rollback_then_preempted()
{
	train_dir rollback
	put 0 1 2 3 4 5
	job=$(train 3 --ckpt-resume=epoch:2)
	waits_at 0 "$job"
	preempt "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-3.pt"
	ends_well "$job"
}

live_modes__fresh_then_preempted()
{
	train_dir fresh
	put 3 4 5
	job=$(train 1 --ckpt-resume=fresh)
	waits_at 0 "$job"
	expect 0 RESUME_MODE=fresh RESUME_PATH=
	preempt "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
}

live_modes__best_then_preempted()
{
	train_dir best
	put 0 1
	as_user cp "$TRAIN_POOL/ckpt-0.pt" "$RUN/model_best.pt"
	job=$(train 3 --ckpt-resume=best)
	waits_at 0 "$job"
	expect 0 "RESUME_PATH=$RUN/model_best.pt"
	preempt "$job"
	waits_at 1 "$job"
	expect 1 RESUME_MODE=resume "RESUME_PATH=$RUN/ckpt-3.pt"
	ends_well "$job"
}

live_modes__further_names()
{
	train_dir names
	put 0 1
	job=$(train 1 --ckpt-resume --ckpt-env=RESUME_FROM)
	waits_at 0 "$job"
	expect 0 "RESUME_PATH=$RUN/ckpt-1.pt"
	ends_well "$job"
	job=$(submit -o named --ckpt-resume --ckpt-env=RESUME_FROM --wrap 'echo "$RESUME_FROM"')
	wait_state "$job" COMPLETED
	file_has "$DIR/named" "$RUN/ckpt-1.pt"
}

# refused OPTION WORD: sbatch itself says no, names the option and queues nothing.
refused()
{
	local out before
	before=$(squeue -h -o %i | wc -l)
	! out=$(submit "$1" --wrap true 2>&1) || fail "sbatch took $1"
	contains "$out" "$2"
	equal "$(squeue -h -o %i | wc -l)" "$before" "jobs queued"
}

live_modes__refused_at_submit()
{
	train_dir refused
	put 0
	refused --ckpt-resume=newest ckpt-resume
	refused --ckpt-resume=step:x ckpt-resume
	refused --ckpt-verify=fast ckpt-verify
	refused --ckpt-env=PATH ckpt-env
	refused --ckpt-dir=a%zb ckpt-dir
	refused --ckpt-metric=loss ckpt-metric
	refused --ckpt-epoch=maybe ckpt-epoch
	refused "--ckpt-resume=$RUN/nowhere.pt" nowhere.pt
}

live_start
train_prepare
for name in pinned_path pinned_epoch pinned_and_damaged pinned_start_preempted_three_times rollback_then_preempted \
	fresh_then_preempted best_then_preempted further_names refused_at_submit; do
	live_case "live_modes__$name"
done
test_end
