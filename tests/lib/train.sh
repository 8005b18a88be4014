# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A training for live tests that starts at once: a shell script which, epoch by epoch, puts real PyTorch
# checkpoints in place that were written beforehand, and prints what the environment told it.

TRAIN_EPOCHS=8

# Writes the checkpoints of all epochs (ckpt-N.pt: epoch N, step 10 (N + 1)) and the job script.
train_prepare()
{
	TRAIN_POOL=$CLUSTER_DIR/pool
	mkdir -p "$TRAIN_POOL"
	"$PYTHON" - "$TRAIN_POOL" "$TRAIN_EPOCHS" <<-'PROGRAM'
	import sys, torch
	torch.manual_seed(1)
	model = torch.nn.Linear(64, 64)
	optimizer = torch.optim.Adam(model.parameters())
	for epoch in range(int(sys.argv[2])):
	    optimizer.zero_grad()
	    model(torch.randn(8, 64)).sum().backward()
	    optimizer.step()
	    torch.save({"model_state_dict": model.state_dict(), "optimizer_state_dict": optimizer.state_dict(),
	                "epoch": epoch, "global_step": 10 * (epoch + 1)}, f"{sys.argv[1]}/ckpt-{epoch}.pt")
	PROGRAM
	chmod 755 "$TRAIN_POOL" && chmod 644 "$TRAIN_POOL"/*
	cat >"$CLUSTER_DIR/pool/train.sh" <<-'PROGRAM'
	#!/bin/bash
	# train.sh POOL LAST [PACE]: trains up to epoch LAST, PACE seconds each, then waits while `hold` exists.
	attempt=${SLURM_RESTART_COUNT:-0}
	env | sed -n "s/^\(CKPT_[A-Z_]*=\)/env $attempt \1/p"
	dir=${CKPT_DIR:-$PWD/checkpoints}
	mkdir -p "$dir"
	epoch=0
	if [[ ${CKPT_RESUME_PATH:-} =~ ckpt-([0-9]+) ]]; then
		epoch=$((BASH_REMATCH[1] + 1))
	fi
	echo "attempt $attempt starts at epoch $epoch"
	for ((; epoch <= $2; epoch++)); do
		cp "$1/ckpt-$epoch.pt" "$dir/.new" && mv "$dir/.new" "$dir/ckpt-$epoch.pt"
		echo "attempt $attempt wrote ckpt-$epoch.pt"
		sleep "${3:-0}"
	done
	echo "attempt $attempt waits"
	while [[ -e hold ]]; do sleep 0.1; done
	echo "attempt $attempt ends"
	PROGRAM
	chmod 755 "$TRAIN_POOL/train.sh"
}

# train_dir NAME: a work directory of the owner's for one case; sets DIR, RUN and OUT. That of another case is refused:
# its jobs' ledger and output would speak for this one's.
train_dir()
{
	local name=$1 of
	((TEST_TRY == 0)) || name=$1.$TEST_TRY
	of=$CLUSTER_DIR/cases/$name
	mkdir -p "${of%/*}"
	[[ ! -e $of || $(<"$of") == "$TEST_CASE" ]] || fail "the directory '$name' is that of $(<"$of")"
	echo "$TEST_CASE" >"$of"
	DIR=$CLUSTER_WORK/$name RUN=$CLUSTER_WORK/$name/checkpoints OUT=$CLUSTER_WORK/$name/out
	as_user mkdir -p "$DIR"
	as_user touch "$DIR/hold"
	CLUSTER_CWD=$DIR
}

# train LAST SBATCH-ARGUMENTS...: prints the job's id. It waits after epoch LAST until let_go.
train()
{
	local last=$1 && shift
	submit -o out -p low "$@" "$TRAIN_POOL/train.sh" "$TRAIN_POOL" "$last"
}

let_go() { rm -f "$DIR/hold"; }

# put N...: checkpoints of another time, in RUN.
put()
{
	local n
	as_user mkdir -p "$RUN"
	for n in "$@"; do
		as_user cp "$TRAIN_POOL/ckpt-$n.pt" "$RUN/ckpt-$n.pt"
	done
}

# damage N: the second half of checkpoint N in RUN is lost.
damage() { truncate -s "$(($(stat -c %s "$RUN/ckpt-$1.pt") / 2))" "$RUN/ckpt-$1.pt"; }

# wait_said TEXT [SECONDS]: until the job's output has it.
wait_said()
{
	cluster_until "${2:-60}" grep -qsF -- "$1" "$OUT" && return 0
	echo "the job did not say '$1', but:" >&2
	cat "$OUT" >&2
	return 1
}

# waits_at ATTEMPT JOB: until that attempt has written its checkpoints.
waits_at()
{
	wait_attempt "$2" "$1"
	wait_said "attempt $1 waits"
}

# told ATTEMPT NAME: what the environment of that attempt said; `unset` where it did not.
told()
{
	local line
	line=$(grep -m 1 "^env $1 $2=" "$OUT") || { echo unset && return 0; }
	echo "${line#*=}"
}

# expect ATTEMPT NAME=VALUE...: of the contract's variables, without their CKPT_.
expect()
{
	local attempt=$1 pair && shift
	for pair in "$@"; do
		equal "$(told "$attempt" "CKPT_${pair%%=*}")" "${pair#*=}" "attempt $attempt: CKPT_${pair%%=*}"
	done
}

# ends_well JOB: lets the job go and waits for its good end.
ends_well()
{
	let_go
	wait_state "$1" COMPLETED
}
