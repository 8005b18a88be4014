#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `info` and `why` say of a checkpoint that was rejected, and of one that looks unlike its elders.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
RUNS=$TEST_SRC/tests/data/make_runs.py
PYTHON=/usr/bin/python3

# answers CODE ARGUMENTS...: stdout in $out.
answers()
{
	local want=$1 rc=0
	shift
	out=$("$CTL" "$@" 2>"$TEST_TMP/words") || rc=$?
	[[ $rc == "$want" ]] || fail "exit code $rc, expected $want: ckptctl $* ($(<"$TEST_TMP/words"))"
}

json() { "$PYTHON" -c 'import json,sys; v = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$out" "$1"; }

fresh_run()
{
	run=$TEST_TMP/run
	rm -rf "$run"
	"$PYTHON" "$RUNS" write "$run" "${1:-torch}" 4 || skip_case "no torch"
	for i in 1 2 3 4; do
		touch -c -d "2026-01-0$i 12:00" "$run/ckpt-$i.pt" "$run/model-step-${i}00.safetensors"
	done
}

forensics__truncated()
{
	fresh_run
	truncate -s 30000 "$run/ckpt-4.pt"
	touch -d "2026-01-04 12:00" "$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Data        end at 30000 of 30000 bytes"
	contains "$out" "Elders      30.0 KB (30000 bytes) where the 3 before it have "
	contains "$out" "Instead     ckpt-3.pt, which costs about 1d00h of work"
	contains "$out" "Writer      none on this host that can be seen"
	answers 1 info --json "$run/ckpt-4.pt"
	equal "$(json 'v["findings"]["instead"], v["findings"]["cost_seconds"], v["findings"]["elders"]')" "('ckpt-3.pt', 86400, 3)"
	equal "$(json 'v["findings"]["file"]["data_end"], v["findings"]["file"]["zero_tail_bytes"]')" "(30000, 0)"
	answers 0 why --dir "$run"
	contains "$out" "Data: end at 30000 of 30000 bytes"
	answers 0 why --json --dir "$run"
	equal "$(json '[e["findings"]["instead"] for e in v["trail"] if e["fate"] == "rejected"]')" "['ckpt-3.pt']"
}

forensics__zero_tail_and_cost()
{
	fresh_run
	local size
	size=$(stat -c %s "$run/ckpt-4.pt")
	"$PYTHON" - "$run/ckpt-4.pt" <<-'END'
		import sys
		f = open(sys.argv[1], 'r+b'); f.seek(0, 2); n = f.tell(); f.seek(50000); f.write(bytes(n - 50000))
	END
	answers 1 info --json "$run/ckpt-4.pt"
	equal "$(json 'v["findings"]["file"]["size_bytes"]')" "$size"
	(($(json 'v["findings"]["file"]["data_end"]') <= 50000)) || fail "data_end"
	(($(json 'v["findings"]["file"]["zero_tail_bytes"]') >= size - 50000)) || fail "zero tail"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "of zeros follow"
}

forensics__sparse_terabyte()
{
	fresh_run
	truncate -s 1T "$run/ckpt-4.pt" || skip_case "no sparse files here"
	answers 1 info --json "$run/ckpt-4.pt"
	(($(json 'v["findings"]["file"]["hole_bytes"]') > 1000000000000)) || fail "holes"
	(($(json 'v["findings"]["file"]["data_end"]') < 1000000)) || fail "data_end"
}

forensics__writer()
{
	fresh_run
	truncate -s 30000 "$run/ckpt-4.pt"
	exec 7>>"$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	exec 7>&-
	contains "$out" "still open for writing by "
	contains "$out" "(pid "
}

forensics__saved_by()
{
	fresh_run
	mkdir -p "$run/.ckpt-resume"
	printf '%s\n' '{"event":"decision","job_id":4711,"attempt":0,"at":"2026-01-01T00:00:00Z"}' \
		'{"event":"decision","job_id":4711,"attempt":1,"at":"2026-01-03T20:00:00Z"}' \
		'{"event":"decision","job_id":4711,"attempt":2,"at":"2026-01-09T00:00:00Z"}' >"$run/.ckpt-resume/ledger.jsonl"
	truncate -s 30000 "$run/ckpt-4.pt"
	touch -d "2026-01-04 12:00 UTC" "$run/ckpt-4.pt"
	answers 1 info "$run/ckpt-4.pt"
	contains "$out" "Saved by    attempt 1 of job 4711"
}

# Half the size of all elders, in a format without checksums: taken, and said.
forensics__suspicious()
{
	fresh_run safetensors
	"$PYTHON" - "$run" <<-'END'
		import json, struct, sys
		h = json.dumps({"w": {"dtype": "U8", "shape": [64], "data_offsets": [0, 64]}, "__metadata__": {"step": "900"}}).encode()
		open(sys.argv[1] + '/model-step-900.safetensors', 'wb').write(struct.pack('<Q', len(h)) + h + bytes(range(64)))
	END
	answers 0 info "$run/model-step-900.safetensors"
	contains "$out" "Suspicious  it has "
	answers 0 why --dir "$run"
	contains "$out" "model-step-900.safetensors is suspicious, and taken all the same: it has "
	rm "$run/model-step-900.safetensors"
	answers 0 why --dir "$run"
	[[ $out != *suspicious* ]] || fail "$out"
}

for case in truncated zero_tail_and_cost sparse_terabyte writer saved_by suspicious; do
	run_case "forensics__$case"
done
test_end
