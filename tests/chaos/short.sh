#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 900 seconds
#
# The chaos run in short: CHAOS_KILLS of each program (default 15: each kind once), and one that is spoilt on purpose.
# CHAOS_SEED is printed, and can be given again.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

chaos() { nice "$TEST_SRC/tests/chaos/run" --no-install --seed "${CHAOS_SEED:-$RANDOM}" "$@"; }

chaos_short__killed_again_and_again() { chaos --kills "${CHAOS_KILLS:-15}"; }

chaos_short__would_be_seen()
{
	local out
	((EUID == 0)) || skip_case "needs root, as the rest of this"
	# what it keeps of a run that was red, as this has to be, goes with the test
	out=$(TMPDIR=$TEST_TMP chaos --kills 6 --only training --broken older) && fail "an older checkpoint was not noticed: $out"
	contains "$out" "is valid"
}

run_case chaos_short__killed_again_and_again
run_case chaos_short__would_be_seen
test_end
