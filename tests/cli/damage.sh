#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Damage, judged through `ckptctl resolve`: the newest checkpoint of a run written by PyTorch is
# damaged, and the answer must be the one before it, with the damaged one named; the undamaged twin of the
# same run is valid in the same case.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
RUNS=$TEST_SRC/tests/data/make_runs.py
PYTHON=/usr/bin/python3
ASIDE=$TEST_TMP/whole

# falls_back DIR EXPECTED REJECTED [OPTION...]: resolve answers EXPECTED and names REJECTED.
falls_back()
{
	local dir=$1 expected=$2 rejected=$3
	shift 3
	equal "$("$CTL" resolve --dir "$dir" "$@" 2>"$TEST_TMP/words")" "$dir/$expected" "the path"
	[[ -z $rejected ]] || file_has "$TEST_TMP/words" "$rejected"
}

torch_run()
{
	rm -rf "$TEST_TMP/run"
	cp -a "$ASIDE" "$TEST_TMP/run"
	equal "$("$CTL" resolve --dir "$TEST_TMP/run" 2>/dev/null)" "$TEST_TMP/run/ckpt-3.pt" "the twin"
}

damaged_by()
{
	torch_run
	"$PYTHON" "$RUNS" damage "$TEST_TMP/run/ckpt-3.pt" "$1"
	falls_back "$TEST_TMP/run" ckpt-2.pt ckpt-3.pt
	exits 1 "$CTL" validate -q "$TEST_TMP/run/ckpt-3.pt"
	exits 0 "$CTL" validate -q "$ASIDE/ckpt-3.pt"
}

damage__legacy_cut()
{
	local size
	"$PYTHON" "$RUNS" write "$TEST_TMP/legacy" legacy 3
	falls_back "$TEST_TMP/legacy" ckpt-3.pt ""
	size=$(stat -c %s "$TEST_TMP/legacy/ckpt-3.pt")
	for part in 1 5 9 10 13 17 19; do
		truncate -s $((size * part / 20)) "$TEST_TMP/legacy/ckpt-3.pt"
		falls_back "$TEST_TMP/legacy" ckpt-2.pt ckpt-3.pt
		cp "$TEST_TMP/legacy/ckpt-2.pt" "$TEST_TMP/legacy/ckpt-3.pt"
	done
}

damage__safetensors_cut()
{
	local dir=$TEST_TMP/st size
	"$PYTHON" "$RUNS" write "$dir" safetensors 3
	falls_back "$dir" model-step-300.safetensors ""
	size=$(stat -c %s "$dir/model-step-300.safetensors")
	for cut in 1 8 100 $((size / 2)) $((size - 1)); do
		truncate -s "$cut" "$dir/model-step-300.safetensors"
		falls_back "$dir" model-step-200.safetensors model-step-300
		"$PYTHON" "$RUNS" write "$dir" safetensors 3
	done
}

# A bundle from the samples, as three saves; each loses a part.
bundle_run()
{
	local from=$TEST_SRC/../shared/samples/tensorflow/serving/saved_model_counter/00000123/variables
	[[ -f $from/variables.index ]] || skip_case "no TensorFlow sample (../shared/samples)"
	rm -rf "$TEST_TMP/tf" && mkdir "$TEST_TMP/tf"
	for n in 1 2 3; do
		cp "$from/variables.index" "$TEST_TMP/tf/ckpt-$n.index"
		cp "$from/variables.data-00000-of-00001" "$TEST_TMP/tf/ckpt-$n.data-00000-of-00001"
	done
	printf 'model_checkpoint_path: "ckpt-3"\nall_model_checkpoint_paths: "ckpt-1"\n%s\n%s\n' \
		'all_model_checkpoint_paths: "ckpt-2"' 'all_model_checkpoint_paths: "ckpt-3"' \
		>"$TEST_TMP/tf/checkpoint"
	falls_back "$TEST_TMP/tf" ckpt-3 ""
}

damage__missing_shard()
{
	bundle_run
	rm "$TEST_TMP/tf/ckpt-3.data-00000-of-00001"
	falls_back "$TEST_TMP/tf" ckpt-2 "ckpt-3 shard-missing"
}

damage__missing_index()
{
	bundle_run
	rm "$TEST_TMP/tf/ckpt-3.index"
	falls_back "$TEST_TMP/tf" ckpt-2 "ckpt-3"
}

damage__half_renamed_set()
{
	bundle_run
	mv "$TEST_TMP/tf/ckpt-3.data-00000-of-00001" \
		"$TEST_TMP/tf/ckpt-3.data-00000-of-00001.tempstate12345"
	falls_back "$TEST_TMP/tf" ckpt-2 "ckpt-3"
}

damage__stale_pointer()
{
	bundle_run
	sed -i '1s/ckpt-3/ckpt-9/' "$TEST_TMP/tf/checkpoint"
	falls_back "$TEST_TMP/tf" ckpt-3 "ckpt-9"
}

damage__flipped_bit_in_a_bundle()
{
	bundle_run
	"$PYTHON" - "$TEST_TMP/tf/ckpt-3.data-00000-of-00001" <<-'PY'
	import sys
	with open(sys.argv[1], "r+b") as f:
	    byte = f.read(1)[0]
	    f.seek(0)
	    f.write(bytes([byte ^ 4]))
	PY
	falls_back "$TEST_TMP/tf" ckpt-2 "ckpt-3 checksum"
}

damage__epoch_info_ahead()
{
	torch_run
	echo '{"last_completed_epoch": 7}' >"$TEST_TMP/run/epoch_info.json"
	falls_back "$TEST_TMP/run" ckpt-3.pt "last_completed_epoch 7, the checkpoint ckpt-3.pt holds epoch 3"
}

damage__epoch_info_behind()
{
	torch_run
	echo '{"last_completed_epoch": 1}' >"$TEST_TMP/run/epoch_info.json"
	falls_back "$TEST_TMP/run" ckpt-3.pt "last_completed_epoch 1, the checkpoint ckpt-3.pt holds epoch 3"
}

damage__epoch_info_torn()
{
	torch_run
	printf '{"last_completed_epoch": 3, "best_' >"$TEST_TMP/run/epoch_info.json"
	falls_back "$TEST_TMP/run" ckpt-3.pt "epoch_info.json"
}

# A directory as HF Trainer writes it; the newest loses a member, or its state is torn.
trainer_run()
{
	local n dir
	rm -rf "$TEST_TMP/hf"
	for n in 100 200 300; do
		dir=$TEST_TMP/hf/checkpoint-$n
		mkdir -p "$dir"
		cp "$ASIDE/ckpt-1.pt" "$dir/optimizer.pt"
		cp "$ASIDE/ckpt-1.pt" "$dir/scheduler.pt"
		cp "$ASIDE/ckpt-1.pt" "$dir/pytorch_model.bin"
		echo "{\"global_step\": $n, \"epoch\": $((n / 100)).0, \"log_history\": []}" \
			>"$dir/trainer_state.json"
	done
	falls_back "$TEST_TMP/hf" checkpoint-300 ""
}

damage__trainer_without_weights()
{
	trainer_run
	rm "$TEST_TMP/hf/checkpoint-300/pytorch_model.bin"
	falls_back "$TEST_TMP/hf" checkpoint-200 "checkpoint-300 member-missing"
}

damage__trainer_state_torn()
{
	trainer_run
	printf '{"global_step": 300, "epo' >"$TEST_TMP/hf/checkpoint-300/trainer_state.json"
	falls_back "$TEST_TMP/hf" checkpoint-200 "checkpoint-300"
}

damage__trainer_member_flipped()
{
	trainer_run
	"$PYTHON" "$RUNS" damage "$TEST_TMP/hf/checkpoint-300/optimizer.pt" one-bit
	falls_back "$TEST_TMP/hf" checkpoint-200 "checkpoint-300 checksum"
}

if "$PYTHON" "$RUNS" write "$ASIDE" zip 3; then
	for how in $("$PYTHON" "$RUNS" hows); do
		run_case_as "damage__torch_$how" damaged_by "$how"
	done
	for name in $(declare -F | sed -n 's/.* \(damage__\)/\1/p'); do
		run_case "$name"
	done
else
	echo "skip damage: python3-torch is not installed"
fi
test_end
