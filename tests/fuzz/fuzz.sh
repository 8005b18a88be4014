#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time limit: 5400 seconds
#
# Every fuzz_*.c here by clang's libFuzzer with ASan and UBSan, as many at once as there are processors. Seeds are the
# genuine checkpoints of tests/damage and what lies in corpus/NAME: inputs that once failed. Findings are kept in
# build-fuzz/failed.
# The test of a change tries the same inputs each time, as many as fit in FUZZ_SECONDS (60) of each target: it is red by
# the change, not by chance (but where seeds tell when they were written: GROMACS, HDF5, Keras, old torch). A campaign
# draws other numbers.
#   FUZZ_SECONDS=3600 FUZZ_SEED=0 FUZZ_ONLY=hdf5 tests/run fuzz      a campaign of one target; what it learns is kept
#                                                                    in build-fuzz/corpus for the next
set -eu
. "$(dirname "$0")/../lib/assert.sh"
PYTHON=${PYTHON:-/usr/bin/python3}
BUILD=$TEST_SRC/build-fuzz
HERE=$TEST_SRC/tests/fuzz
# A second for each MB is what is promised: an input has 64 KiB, sanitizers take their share of the three. libFuzzer
# asks a clock on the wall, which a loaded machine makes run: what it thinks slow is judged once more by processor time.
# What ASan keeps of freed memory is bounded, so that the resident set says something of the target's.
MOST_SECONDS=3
HANGS=60     # on the wall, for what does not even use the processor
TIMED_OUT=70 # libFuzzer's exit code
LIMITS=(-rss_limit_mb=768 -max_len=65536)
export ASAN_OPTIONS=quarantine_size_mb=64${ASAN_OPTIONS:+:$ASAN_OPTIONS}

# A seed of 0 is libFuzzer's word for one of its own. The corpus is not read again while it runs, seeds come in the order
# of their names, addresses stay (where that is allowed): by the clock and by chance the inputs would be others.
SEED=${FUZZ_SEED:-1}
SAME=()
if ((SEED != 0)) && setarch -R true 2>/dev/null; then SAME=(setarch -R); fi

# MiB that one allocation of the target may have: what a check may use in all, but zstd and xz must have a window as
# large as the writer's, up to 128.
most()
{
	case $1 in
	fuzz_zstd | fuzz_xz | fuzz_format | fuzz_tree | fuzz_deepspeed_universal) echo 144 ;;
	*) echo 64 ;;
	esac
}

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

fuzz_seeds()
{
	rm -rf "$BUILD/seeds"
	"$PYTHON" "$HERE/seeds.py" "$BUILD/seeds" >"$BUILD/absent"
	cat "$BUILD/absent"
}

# A target that begins with nothing finds little in a minute: each has seeds, unless a writer is not here.
fuzz_seeds_for_all()
{
	local name folder
	while read -r name; do
		compgen -G "$BUILD/seeds/$name/*" >/dev/null || [[ -d $HERE/corpus/${name#fuzz_} ]] ||
			grep -q '^[^ ]*: ' "$BUILD/absent" || fail "no seed for $name"
	done < <(targets)
	for folder in "$BUILD"/seeds/*; do
		[[ -f $HERE/$(basename "$folder").c ]] || fail "seeds, and no target: $folder"
	done
}

# Rows of the format table that have no target of their own but are what fuzz_tree's seeds are judged by. A new
# directory's names belong into tree_names.h, its row here.
TREE_ROWS=(accelerate adios2 amrex criu dcp deepspeed determined dmtcp-script folder fti hf-trainer lammps-set megatron
	nemo olmo orbax safetensors-index scr tf-bundle)

fuzz_tree_reaches()
{
	local row told
	[[ -x $BUILD/fuzz/fuzz_tree ]] || skip_case "fuzz_tree is not built"
	told=$(FUZZ_TREE_TELL=1 "$BUILD/fuzz/fuzz_tree" -runs=0 "$BUILD/seeds/fuzz_tree" 2>/dev/null)
	for row in "${TREE_ROWS[@]}"; do
		grep -q "^$row: " "$BUILD/absent" || grep -q ": $row " <<<"$told" ||
			fail "no seed of fuzz_tree is judged as $row"
	done
}

# dir_of PID: the directory in memory that a target has (dir.h); false where it has none yet.
dir_of() { find "/proc/$1/fd" -lname '/dev/shm/fuzz-*' -printf '%l\n' | grep -m 1 .; }

gone() { [[ ! -e $1 ]]; }

# libFuzzer's own ways out, and one that asks nobody.
fuzz_dir_goes()
{
	local signal pid dir
	[[ -x $BUILD/fuzz/fuzz_fti ]] || skip_case "fuzz_fti is not built"
	for signal in INT KILL; do
		# INT is ignored by what a script puts into the background, unless it is asked for
		env --default-signal=INT "$BUILD/fuzz/fuzz_fti" -max_total_time=600 >"$TEST_TMP/fti.log" 2>&1 &
		pid=$!
		soon dir_of "$pid" >"$TEST_TMP/dir" || fail "fuzz_fti has no directory"
		dir=$(<"$TEST_TMP/dir")
		kill -s "$signal" "$pid"
		wait "$pid" || :
		soon gone "$dir" || fail "$dir is left by $signal"
	done
}

# target NAME ARGUMENTS...: runs it, with all limits but that of time.
target()
{
	"${SAME[@]}" "$BUILD/fuzz/$1" "${LIMITS[@]}" -malloc_limit_mb="$(most "$1")" "${@:2}"
}

# fuzz_until END NAME ARGUMENTS...: again where it stopped at an input that took long, until then.
fuzz_until()
{
	local end=$1 name=$2 rc=$TIMED_OUT
	shift 2
	while ((rc == TIMED_OUT && SECONDS < end)); do
		rc=0
		target "$name" -timeout="$MOST_SECONDS" -artifact_prefix="$BUILD/failed/$name-" -max_total_time=$((end - SECONDS)) \
			"$@" >>"$BUILD/log/$name" 2>&1 || rc=$?
	done
	return "$rc"
}

# Run on its own, several at once: the log and the exit code are for fuzz_result.
fuzz_one()
{
	local name=$1 known list rc=0 seeds=()
	mkdir -p "$BUILD/corpus/$name" "$BUILD/seeds/$name" "$BUILD/failed" "$BUILD/log"
	known=$HERE/corpus/${name#fuzz_}
	[[ ! -d $known ]] || cp "$known"/* "$BUILD/seeds/$name"
	: >"$BUILD/log/$name"
	list=$BUILD/log/$name.seeds
	find "$BUILD/seeds/$name" -type f | LC_ALL=C sort | paste -sd, >"$list"
	! grep -q . "$list" || seeds=(-seed_inputs=@"$list")
	fuzz_until $((SECONDS + 120)) "$name" -runs=0 "$BUILD/seeds/$name" &&
		fuzz_until $((SECONDS + ${FUZZ_SECONDS:-60})) "$name" -seed="$SEED" -reload=0 \
			-dict="$HERE/formats.dict" -print_final_stats=1 "${seeds[@]}" "$BUILD/corpus/$name" || rc=$?
	echo "$rc" >"$BUILD/log/$name.rc"
}

# slow_inputs NAME: what libFuzzer wrote down in this run for it took so long.
slow_inputs() { sed -n "s|^.*Test unit written to \($BUILD/failed/$1-timeout-.*\)\$|\1|p" "$BUILD/log/$1" | sort -u; }

# is_quick NAME INPUT: alone now; it takes less processor time than it may, and comes to its end.
is_quick()
{
	local TIMEFORMAT='%U %S' cpu rc=0
	cpu=$({ time target "$1" -timeout="$HANGS" "$2" >>"$BUILD/log/$1" 2>&1; } 2>&1) || rc=$?
	echo "$2: ${cpu/ / s of its own and } s of the system's, exit code $rc"
	((rc == 0)) && awk -v most="$MOST_SECONDS" '{ exit $1 + $2 >= most }' <<<"$cpu"
}

fuzz_result()
{
	local runs rc input
	[[ -s $BUILD/log/$1.rc ]] || fail "it did not end"
	rc=$(<"$BUILD/log/$1.rc")
	while read -r input; do
		is_quick "$1" "$input" || { tail -n 60 "$BUILD/log/$1" && fail "an input takes too long; it is kept: $input"; }
		rm "$input"
		((rc != TIMED_OUT)) || rc=0
	done < <(slow_inputs "$1")
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/log/$1" | tail -n 1)
	if [[ $rc != 0 ]]; then
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
run_case fuzz_seeds_for_all
run_case fuzz_tree_reaches
run_case fuzz_dir_goes
rm -f "$BUILD"/log/*.rc
targets | nice xargs -P "$(nproc)" -I '{}' bash "$0" --one '{}'
while read -r name; do
	run_case_as "$name" fuzz_result "$name"
done < <(targets)
test_end
