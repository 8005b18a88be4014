#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Large directories and large files: time as a ratio to what `ls` and friends need for the same directory, in the
# same run, with bounds that noise does not reach; memory as the peak of the process.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
RUNS=$TEST_SRC/tests/data/make_runs.py
PYTHON=/usr/bin/python3
ROUNDS=5
MEMORY_KB=$((64 * 1024))

# microseconds COMMAND...: how long it takes.
microseconds()
{
	local began=${EPOCHREALTIME/[.,]/} ended
	"$@" >/dev/null 2>&1 || true
	ended=${EPOCHREALTIME/[.,]/}
	echo $((ended - began))
}

# within NAME PERCENT BASELINE COMMAND...: both take turns; the least time of the command, which noise disturbs the
# least, is at most that much of the least of the baseline (a function that takes the directory $names). Where that is
# not so after ROUNDS turns, others' load may have been in all of them: there are five times as many then.
within()
{
	local name=$1 percent=$2 baseline=$3 ours=0 other=0 t
	shift 3
	for ((i = 0; i < ROUNDS || (i < 5 * ROUNDS && ours * 100 > other * percent); i++)); do
		t=$(microseconds "$baseline" "$names")
		((other && other < t)) || other=$t
		t=$(microseconds "$@")
		((ours && ours < t)) || ours=$t
	done
	echo "# $name: $((ours * 100 / other)) % of $baseline ($ours us), allowed $percent %" |
		tee -a "$TEST_TMP/figures"
	((ours * 100 <= other * percent)) || fail "$name takes $((ours * 100 / other)) % of $baseline"
}

# A directory of 100,000 names, of which the last three are checkpoints and the others empty.
many_names()
{
	names=$TEST_TMP/names
	[[ ! -d $names ]] || return 0
	"$PYTHON" "$RUNS" many "$TEST_TMP/three" 3
	mkdir "$names"
	(cd "$names" && seq -f 'ckpt-%06g.pt' 0 99996 | xargs touch)
	for n in 1 2 3; do
		cp "$TEST_TMP/three/ckpt-$n.pt" "$names/ckpt-10000$n.pt"
	done
}

long_listing() { ls -l "$1"; }
by_time() { ls -t "$1"; }
checksum_of_each() { find "$1" -name '*.pt' -print0 | xargs -0 cksum; }

scale__resolve_among_100000_names()
{
	many_names
	equal "$("$CTL" resolve --dir "$names" 2>/dev/null)" "$names/ckpt-100003.pt"
	within "resolve" 250 by_time "$CTL" resolve --dir "$names"
}

scale__list_of_100000_names()
{
	many_names
	equal "$("$CTL" list -h -o name --level none "$names" | head -n 1)" ckpt-100003.pt
	within "list --level none -o name" 250 long_listing "$CTL" list --level none -o name "$names"
	ROUNDS=2
	within "list" 600 checksum_of_each "$CTL" list "$names"
}

# No stat of all: what strace counts, where it is there.
scale__resolve_stats_few_names()
{
	local n
	command -v strace >/dev/null || skip_case "strace is not installed"
	many_names
	strace -f -c -o "$TEST_TMP/calls" "$CTL" resolve --dir "$names" >/dev/null 2>&1 ||
		skip_case "strace may not trace here"
	n=$(awk '$NF ~ /stat|^open/ { n += $4 } END { print n + 0 }' "$TEST_TMP/calls")
	((n > 0 && n < 1000)) || fail "$n files were opened or stat'ed"
}

# Nothing usable among 100,000: each is looked at once.
scale__resolve_with_nothing_valid()
{
	many_names
	mkdir "$TEST_TMP/aside"
	mv "$names"/ckpt-10000[123].pt "$TEST_TMP/aside/"
	ROUNDS=2
	within "resolve of nothing valid" 800 checksum_of_each "$CTL" resolve --dir "$names"
	mv "$TEST_TMP"/aside/* "$names/"
}

one_alone() { "$CTL" resolve --level structure --dir "$TEST_TMP/one"; }

# What 1,000 checkpoints cost, the chosen one included: some programs' starts.
scale__decision_among_1000_checkpoints()
{
	local names=$TEST_TMP/thousand
	"$PYTHON" "$RUNS" many "$names" 1000
	mkdir "$TEST_TMP/one"
	cp "$names/ckpt-1000.pt" "$TEST_TMP/one/"
	ROUNDS=20
	equal "$("$CTL" resolve --dir "$names" 2>/dev/null)" "$names/ckpt-1000.pt"
	within "a decision among 1,000" 200 long_listing "$CTL" resolve --level structure --dir "$names"
	within "a decision among 1,000" 500 one_alone "$CTL" resolve --level structure --dir "$names"
}

# peak COMMAND...: the most memory that it had, in KiB.
peak()
{
	"$PYTHON" - "$@" <<-'PY'
	import resource, subprocess, sys
	code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
	assert code == 0, f"exit code {code}"
	print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
	PY
}

# peak_below KIB COMMAND...
peak_below()
{
	local kb most=$1
	shift
	kb=$(peak "$@")
	echo "# $kb KiB: $*" | tee -a "$TEST_TMP/figures"
	((kb < most)) || fail "a peak of $kb KiB, allowed are $most: $*"
}

big_file()
{
	big=$TEST_TMP/ckpt-1.pt
	[[ ! -e $big ]] || return 0
	(($(df --output=avail -k "$TEST_TMP" | tail -n 1) > 3000000)) || skip_case "less than 3 GB free"
	"$PYTHON" "$RUNS" big "$big" 1536
}

scale__memory_of_a_large_zip()
{
	big_file
	peak_below "$MEMORY_KB" "$CTL" validate "$big"
	peak_below "$MEMORY_KB" "$CTL" resolve --dir "$TEST_TMP"
}

scale__progress_bar_on_a_terminal()
{
	local cpu
	command -v script >/dev/null || skip_case "script(1) is not installed"
	big_file
	cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/') # the first that we may have
	script -qec "taskset -c $cpu $(printf '%q ' "$CTL" validate "$big")" /dev/null </dev/null >"$TEST_TMP/bar"
	grep -aqE 'ckpt-1\.pt \[#* *\] +[0-9]+% of 1\.6 GB, [0-9.]+ [MG]B/s, ETA [0-9?]' "$TEST_TMP/bar" ||
		fail "no bar: $(head -c 300 "$TEST_TMP/bar")"
	grep -aq "valid by checksum" "$TEST_TMP/bar" || fail "no answer beside the bar"
	taskset -c "$cpu" "$CTL" validate "$big" >"$TEST_TMP/out" 2>"$TEST_TMP/words"
	equal "$(<"$TEST_TMP/words")" "" "stderr without a terminal"
}

scale__memory_of_a_long_safetensors_header()
{
	local file=$TEST_TMP/model-step-1.safetensors
	"$PYTHON" - "$file" <<-'PY'
	import json, struct, sys
	n = 100000
	header = json.dumps({f"layers.{i}.weight": {"dtype": "F32", "shape": [1],
	                     "data_offsets": [4 * i, 4 * i + 4]} for i in range(n)}).encode()
	with open(sys.argv[1], "wb") as f:
	    f.write(struct.pack("<Q", len(header)) + header + bytes(range(1, 5)) * n)
	PY
	exits 0 "$CTL" validate -q "$file"
	peak_below "$MEMORY_KB" "$CTL" validate "$file"
	peak_below "$MEMORY_KB" "$CTL" info "$file"
}

"$PYTHON" -c 'import torch' 2>/dev/null || {
	echo "skip scale: python3-torch is not installed"
	test_end
}
for name in $(declare -F | sed -n 's/.* \(scale__\)/\1/p'); do
	run_case "$name"
done
cat "$TEST_TMP/figures"
test_end
