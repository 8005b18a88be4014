#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Short runs of every fuzz_*.c here with clang's libFuzzer, ASan and UBSan; FUZZ_SECONDS each (4). Inputs that
# once failed lie in corpus/NAME and run first. A long campaign: FUZZ_SECONDS=3600 tests/run fuzz
set -eu
. "$(dirname "$0")/../lib/assert.sh"
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=$TEST_SRC/build-fuzz
SANITIZE=-fsanitize=address,undefined
LAYERS=(resolve config record integrity catalog format base wire)

fuzz_build()
{
	cmake -S "$TEST_SRC" -B "$BUILD" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
		-DCKPT_TESTS=OFF -DCMAKE_C_FLAGS="-O1 $SANITIZE -fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined"
	mapfile -t targets < <(ninja -C "$BUILD" -t targets all | sed -n 's/^\(libckpt_[a-z]*\.a\): .*/\1/p')
	ninja -C "$BUILD" "${targets[@]}"
}

# Small real files to begin with, written by PyTorch and by hand.
fuzz_seeds()
{
	mkdir -p "$BUILD/seeds/format" "$BUILD/seeds/wire"
	printf 'mode=resume\npath=/a/ckpt-1\nroot=/a\ntag=ckpt-1\nevidence=checksum\nattempt=1\n' >"$BUILD/seeds/wire/decision"
	printf 'mode=step:5\ndirs=a:%%j\njob_id=7\nattempt=1\n' >"$BUILD/seeds/wire/request"
	"$PYTHON" - "$BUILD/seeds/format" <<-'PROGRAM'
	import json, struct, sys, torch
	state = {"model_state_dict": {"w": torch.ones(3, 2)}, "epoch": 1, "global_step": 5, "loss": 0.5}
	torch.save(state, sys.argv[1] + "/zip")
	torch.save(state, sys.argv[1] + "/legacy", _use_new_zipfile_serialization=False)
	head = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
	open(sys.argv[1] + "/safetensors", "wb").write(struct.pack("<Q", len(head)) + head + bytes(8))
	PROGRAM
}

fuzz_one()
{
	local name=$1 lib libs=()
	for lib in "${LAYERS[@]}"; do
		[[ ! -e $BUILD/libckpt_$lib.a ]] || libs+=("$BUILD/libckpt_$lib.a")
	done
	clang -std=gnu17 -D_GNU_SOURCE -O1 -g "$SANITIZE,fuzzer" -I"$TEST_SRC" "$TEST_SRC/tests/fuzz/fuzz_$name.c" \
		-Wl,--start-group "${libs[@]}" -Wl,--end-group -lcjson -lisal -lcrypto -lzstd -llz4 -llzma -lbz2 -lpthread -lm -o "$BUILD/fuzz_$name"
	mkdir -p "$BUILD/corpus/$name" "$BUILD/seeds/$name" "$BUILD/failed"
	if [[ -d $TEST_SRC/tests/fuzz/corpus/$name ]]; then
		"$BUILD/fuzz_$name" -runs=0 "$TEST_SRC/tests/fuzz/corpus/$name"/*
		cp "$TEST_SRC/tests/fuzz/corpus/$name"/* "$BUILD/seeds/$name"
	fi
	"$BUILD/fuzz_$name" -max_total_time="${FUZZ_SECONDS:-4}" -max_len=16384 -timeout=10 -rss_limit_mb=1024 \
		-artifact_prefix="$BUILD/failed/$name-" -print_final_stats=1 "$BUILD/corpus/$name" "$BUILD/seeds/$name" ||
		fail "an input was found; it is kept in build-fuzz/failed/"
}

if ! command -v clang >/dev/null; then
	echo "skip fuzz: clang is not installed"
	exit 0
fi
run_case fuzz_build
run_case fuzz_seeds
for file in "$TEST_SRC"/tests/fuzz/fuzz_*.c; do
	name=$(basename "$file" .c)
	run_case_as "$name" fuzz_one "${name#fuzz_}"
done
test_end
