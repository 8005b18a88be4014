#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The demo itself must pass, in time, and leave nothing behind, also when it is interrupted.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

demo() { TMPDIR=$TEST_TMP "$TEST_SRC/examples/demo" --no-install; }

left() { find "$TEST_TMP" -maxdepth 1 -name 'ckpt-cluster.*'; }

live_demo__passes()
{
	local began=$SECONDS
	demo
	equal "$(left)" "" "directories left"
	((SECONDS - began < 180)) || late "took $((SECONDS - began)) s"
}

live_demo__interrupted()
{
	local pid rc=0
	set -m
	demo >"$TEST_TMP/demo.out" 2>&1 &
	pid=$!
	set +m
	for _ in {1..1800}; do
		! grep -q 'attempt 0 runs' "$TEST_TMP/demo.out" || break
		sleep 0.1
	done
	file_has "$TEST_TMP/demo.out" 'attempt 0 runs'
	kill -INT -- "-$pid"
	wait "$pid" || rc=$?
	equal "$rc" 130 "exit code"
	equal "$(left)" "" "directories left"
	[[ -z $(grep -lzs "CKPT_CLUSTER_OF=$TEST_TMP" /proc/[0-9]*/environ) ]] || fail "processes left"
}

run_case live_demo__passes
run_case live_demo__interrupted
test_end
