#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Files that other projects test their readers with, judged by `ckptctl validate`: the good ones must be found
# valid, with the evidence that their format gives; the bad ones whose format has a row must be found.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
SAMPLES=${CKPT_SAMPLES:-$TEST_SRC/../shared/samples}
PYTHON=/usr/bin/python3

# Path or pattern below the samples | verdict | format. "any": opaque until a row knows it, and then valid all the
# same. Every file is in the first line that fits; a file in no line fails the last case. "part": of a set, judged
# with it in the cases below.
table()
{
	cat <<-'END'
	pytorch/burn_reader/test_data/broken.pt                      bad    torch
	pytorch/burn_reader/test_data/legacy_*.pt                    valid  torch-legacy
	pytorch/burn_reader/test_data/simple_legacy.pt               valid  torch-legacy
	pytorch/burn_reader/test_data/*.tar                          valid  any
	pytorch/*                                                    valid  torch-zip
	safetensors/*                                                valid  safetensors
	tensorflow/*.index                                           part   tf-bundle
	tensorflow/*.data-*                                          part   tf-bundle
	tensorflow/serving/bad_half_plus_two/*                       part   export
	tensorflow/*/assets/.gitkeep                                 part   empty
	tensorflow/*                                                 valid  any
	netcdf/bad_cdf5_begin.nc                                     bad    netcdf
	netcdf/ref_test_corrupt_magic.nc                             bad    netcdf
	orbax/*                                                      part   orbax
	hdf5/*                                                       valid  any
	keras/*                                                      valid  any
	netcdf/*                                                     valid  any
	numpy/*                                                      valid  any
	scr/*                                                        valid  kvtree
	SOURCES.tsv                                                  part   list
	END
}

# row_of FILE: sets $want and $format from the first line of the table that fits.
row_of()
{
	local pattern
	want=''
	while read -r pattern want format; do
		# shellcheck disable=SC2053  # the right side is a pattern
		[[ $1 != $pattern ]] || return 0
	done < <(table)
	want=''
}

# judged PATH: prints "verdict format".
judged()
{
	"$CTL" validate --json "$1" 2>/dev/null |
		"$PYTHON" -c 'import json, sys; v = json.load(sys.stdin); print(v["verdict"], v["format"])'
}

# files DIR: below the samples, relative to them.
files() { (cd "$SAMPLES" && find "$1" -type f | sort); }

good_files()
{
	local file n=0 answer
	[[ -d $SAMPLES/$1 ]] || skip_case "no samples of $1 (../shared/samples)"
	while read -r file; do
		row_of "$file"
		[[ $want == valid ]] || continue
		answer=$(judged "$SAMPLES/$file")
		[[ $answer == "valid $format" || ($format == any && $answer == "valid "*) ]] ||
			fail "$file is $answer, expected $want $format"
		n=$((n + 1))
	done < <(files "$1")
	((n > 0)) || fail "no good file below $1"
}

# Under a checkpoint's own name, which tells what the content has to be.
samples__bad_torch_is_found()
{
	local file=$SAMPLES/pytorch/burn_reader/test_data/broken.pt
	[[ -f $file ]] || skip_case "no PyTorch samples (../shared/samples)"
	mkdir "$TEST_TMP/run"
	cp "$SAMPLES/pytorch/burn_reader/test_data/checkpoint.pt" "$TEST_TMP/run/checkpoint_1.pt"
	cp "$file" "$TEST_TMP/run/checkpoint_2.pt"
	equal "$("$CTL" resolve --dir "$TEST_TMP/run" 2>"$TEST_TMP/words")" "$TEST_TMP/run/checkpoint_1.pt"
	file_has "$TEST_TMP/words" "checkpoint_2.pt"
	exits 1 "$CTL" validate -q "$TEST_TMP/run/checkpoint_2.pt"
}

samples__good_checkpoints_cut_short_are_found()
{
	local file size name
	[[ -d $SAMPLES/pytorch && -d $SAMPLES/safetensors ]] || skip_case "no samples (../shared/samples)"
	while read -r file; do
		row_of "$file"
		[[ $format == torch* || $format == safetensors ]] && [[ $want == valid ]] || continue
		size=$(stat -c %s "$SAMPLES/$file")
		name=$TEST_TMP/checkpoint_7.${file##*.}
		for keep in $((size / 3)) $((size - 1)); do
			head -c "$keep" "$SAMPLES/$file" >"$name"
			exits 1 "$CTL" validate -q "$name"
		done
	done < <(files pytorch && files safetensors)
}

# All behind the magic is under the CRC, or tells how much that is.
samples__kvtree_with_a_bit_flipped_is_found()
{
	local file=$SAMPLES/scr/flush.scr size at
	[[ -f $file ]] || skip_case "no samples of scr (../shared/samples)"
	size=$(stat -c %s "$file")
	for at in 12 19 20 60 $((size / 2)) $((size - 1)); do
		"$PYTHON" - "$file" "$TEST_TMP/flush.scr" "$at" <<-'END'
		import sys
		data = bytearray(open(sys.argv[1], 'rb').read())
		data[int(sys.argv[3])] ^= 1
		open(sys.argv[2], 'wb').write(data)
		END
		exits 1 "$CTL" validate -q "$TEST_TMP/flush.scr"
		rm "$TEST_TMP/flush.scr"
	done
	head -c $((size - 1)) "$file" >"$TEST_TMP/flush.scr"
	equal "$(judged "$TEST_TMP/flush.scr")" "incomplete kvtree"
}

# Bundles as a training run writes them: the prefix ckpt-1.
bundle()
{
	local from=${1%.index}
	rm -rf "$TEST_TMP/tf" && mkdir "$TEST_TMP/tf"
	cp "$1" "$TEST_TMP/tf/ckpt-1.index"
	for data in "$from".data-*; do
		cp "$data" "$TEST_TMP/tf/ckpt-1.data-${data##*.data-}"
	done
}

samples__tensorflow_bundles()
{
	local index n=0 data
	while read -r index; do
		n=$((n + 1))
		bundle "$SAMPLES/$index"
		equal "$(judged "$TEST_TMP/tf/ckpt-1")" "valid tf-bundle" "$index"
		for data in "$TEST_TMP"/tf/*.data-*; do
			truncate -s -1 "$data"
			exits 1 "$CTL" validate -q "$TEST_TMP/tf/ckpt-1"
			rm "$data"
			exits 1 "$CTL" validate -q "$TEST_TMP/tf/ckpt-1"
		done
	done < <([[ ! -d $SAMPLES/tensorflow ]] || files tensorflow | grep '\.index$')
	((n > 0)) || skip_case "no TensorFlow bundles (../shared/samples)"
}

samples__hf_trainer()
{
	local dir n=0
	while read -r dir; do
		n=$((n + 1))
		[[ $(judged "$dir") == valid* ]] || fail "$dir is $(judged "$dir")"
	done < <(find "$SAMPLES/hf_trainer" -type d -name 'checkpoint-*' 2>/dev/null)
	((n > 0)) || skip_case "no Hugging Face Trainer samples (../shared/samples/hf_trainer)"
}

samples__every_file_is_in_the_table()
{
	local file
	while read -r file; do
		row_of "$file"
		[[ -n $want ]] || fail "$file is in no line of the table"
	done < <(files .| sed 's,^\./,,')
}

if [[ ! -d $SAMPLES ]]; then
	echo "skip samples: there are none (../shared/samples)"
	test_end
fi
for kind in pytorch safetensors tensorflow hdf5 keras netcdf numpy scr; do
	run_case_as "samples__good_$kind" good_files "$kind"
done
for name in $(declare -F | sed -n 's/.* \(samples__\)/\1/p'); do
	run_case "$name"
done
test_end
