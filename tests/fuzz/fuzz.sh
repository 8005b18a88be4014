#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time limit: 5400 seconds
#
# Every fuzz_*.c here by clang's libFuzzer with ASan and UBSan, FUZZ_SECONDS each (60), as many at once as there are
# processors. Seeds are the genuine checkpoints of tests/damage and what lies in corpus/NAME: inputs that once
# failed. Findings are kept in build-fuzz/failed.
#   FUZZ_SECONDS=3600 FUZZ_ONLY=hdf5 tests/run fuzz      a long campaign, of one target; what it learns is kept in
#                                                        build-fuzz/corpus for the next
set -eu
. "$(dirname "$0")/../lib/assert.sh"
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=$TEST_SRC/build-fuzz
HERE=$TEST_SRC/tests/fuzz
# a second for each MB, and no less than ten: a slow one is a finding; memory is that of the sanitizers, too
LIMITS=(-timeout=10 -rss_limit_mb=1024 -max_len=65536)

targets()
{
	local file
	for file in "$HERE"/fuzz_*.c; do
		file=$(basename "$file" .c)
		[[ -z ${FUZZ_ONLY:-} || $file == *"$FUZZ_ONLY"* ]] && echo "$file"
	done
	return 0
}

fuzz_build()
{
	cmake -S "$TEST_SRC" -B "$BUILD" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
		-DCKPT_TESTS=OFF -DCKPT_FUZZ=ON
	mapfile -t wanted < <(targets)
	ninja -C "$BUILD" "${wanted[@]}"
}

fuzz_seeds() { rm -rf "$BUILD/seeds" && "$PYTHON" "$HERE/seeds.py" "$BUILD/seeds"; }

# Run on its own, several at once: the log and the exit code are for fuzz_result.
fuzz_one()
{
	local name=$1 known rc=0
	mkdir -p "$BUILD/corpus/$name" "$BUILD/seeds/$name" "$BUILD/failed" "$BUILD/log"
	known=$HERE/corpus/${name#fuzz_}
	[[ ! -d $known ]] || cp "$known"/* "$BUILD/seeds/$name"
	"$BUILD/fuzz/$name" "${LIMITS[@]}" -runs=0 "$BUILD/seeds/$name" >"$BUILD/log/$name" 2>&1 &&
		"$BUILD/fuzz/$name" "${LIMITS[@]}" -max_total_time="${FUZZ_SECONDS:-60}" -dict="$HERE/formats.dict" \
			-artifact_prefix="$BUILD/failed/$name-" -print_final_stats=1 "$BUILD/corpus/$name" \
			"$BUILD/seeds/$name" >>"$BUILD/log/$name" 2>&1 || rc=$?
	echo "$rc" >"$BUILD/log/$name.rc"
}

fuzz_result()
{
	local runs
	[[ -s $BUILD/log/$1.rc ]] || fail "it did not end"
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/log/$1" | tail -n 1)
	if [[ $(<"$BUILD/log/$1.rc") != 0 ]]; then
		tail -n 60 "$BUILD/log/$1"
		fail "an input was found; it is kept in build-fuzz/failed"
	fi
	((runs > 0)) || fail "it ran no input"
}

if [[ ${1:-} == --one ]]; then
	fuzz_one "$2"
	exit 0
fi
if ! command -v clang >/dev/null; then
	echo "skip fuzz: clang is not installed"
	exit 0
fi
run_case fuzz_build
run_case fuzz_seeds
rm -f "$BUILD"/log/*.rc
targets | nice xargs -P "$(nproc)" -I '{}' bash "$0" --one '{}'
while read -r name; do
	run_case_as "$name" fuzz_result "$name"
done < <(targets)
test_end
