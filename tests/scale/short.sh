#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 900 seconds
#
# The scale runs with few nodes and jobs; then their records are spoilt, in one way for each check, and the check
# must see it.
set -euo pipefail
. "$(dirname "$0")/../lib/assert.sh"

PYTHON=/usr/bin/python3
HERE=$TEST_SRC/tests/scale
RECORDS=$TEST_TMP/records
GRACE=$TEST_TMP/grace

# spoilt CHECK COMMAND...: the command, in a copy of the records of the round with ckpt-resume, fails that check.
spoilt()
{
	local check=$1 copy=$TEST_TMP/copy
	shift
	rm -rf "$copy"
	cp -r "${records:-$RECORDS}" "$copy"
	(cd "$copy/with" && "$@")
	! "$PYTHON" "$HERE/figures.py" judge "$copy" >"$TEST_TMP/judged" || fail "exit code 0"
	grep -q "^not ok scale__$check: " "$TEST_TMP/judged" || fail "$check does not see it"
}

# count_up NAME PHASE BY: so many more of a type's or a user's calls from that snapshot on.
count_up()
{
	"$PYTHON" - "$@" <<-'PROGRAM'
	import re, sys
	from pathlib import Path
	name, phase, by = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
	for path in (Path(f"sdiag.{n}") for n in range(phase, 4)):
	    text, line = path.read_text(), rf"(\s{name}\s*\(\s*\d+\)\s+count:)(\d+)"
	    if not re.search(line, text):
	        text = re.sub(r"(by message type\n)", rf"\1\t{name} (1) count:0\n", text, 1)
	    path.write_text(re.sub(line, lambda m: m[1] + str(int(m[2]) + by), text))
	PROGRAM
}

# longer FIELD: one of the plugin's times, of all starts.
longer()
{
	awk -v f="$1" '$1 == "step" { $f += 60000 } { print }' clock >new
	mv new clock
}

last_longer()
{
	tac clock | sed '0,/^step/s/^\(step .*\.[0-9]*\) [0-9]*/\1 900000/' | tac >new
	mv new clock
}

scale_spoilt__not_back() { spoilt came_back sed -i '/^end 1/d' life/3/life; }
scale_spoilt__not_completed() { spoilt came_back sed -i '2s/JobState=COMPLETED/JobState=FAILED/' jobs; }
scale_spoilt__restarted_twice() { spoilt came_back sed -i '2s/Restarts=1/Restarts=2/' jobs; }
scale_spoilt__older() { spoilt right_checkpoint sed -i 's/^\(env 1 CKPT_RESUME_PATH=.*ckpt-\)[0-9]*/\11/' life/1/life; }
scale_spoilt__of_a_neighbour() { spoilt right_checkpoint cp life/11/life life/1/life; }
scale_spoilt__fresh() { spoilt right_checkpoint sed -i 's/^env 1 CKPT_RESUME_MODE=resume/env 1 CKPT_RESUME_MODE=fresh/' life/7/life; }
scale_spoilt__not_fresh() { spoilt right_checkpoint sed -i 's/^env 1 CKPT_RESUME_MODE=fresh/env 1 CKPT_RESUME_MODE=resume/' life/9/life; }
scale_spoilt__jobs_own_word() { spoilt right_checkpoint sed -i 's/^check 1 right/check 1 wrong/' life/2/life; }
scale_spoilt__drained() { spoilt nodes_idle sed -i '2s/idle/drained/' nodes; }
scale_spoilt__lost_node() { spoilt nodes_idle sed -i 2d nodes; }
scale_spoilt__asked_at_start() { spoilt no_rpc_at_start count_up REQUEST_JOB_INFO_SINGLE 1 1; }
scale_spoilt__asked_twice() { spoilt one_rpc_at_the_end count_up REQUEST_JOB_INFO_SINGLE 2 25; }
scale_spoilt__requeued() { spoilt nothing_else_asked count_up REQUEST_JOB_REQUEUE 2 1; }
scale_spoilt__other_calls() { spoilt nothing_else_asked count_up REQUEST_JOB_STEP_INFO 3 4; }
scale_spoilt__asked_as_user() { spoilt nothing_asked_as_user count_up "$(sed -n '1s/.* UserId=\([^(]*\).*/\1/p' jobs)" 1 1; }
scale_spoilt__slow_start() { spoilt start_is_short longer 5; }
scale_spoilt__one_slow_start() { spoilt start_is_short last_longer; }
scale_spoilt__much_work() { spoilt start_is_cheap longer 6; }
scale_spoilt__not_timed() { spoilt every_start_timed sed -i '1d' clock; }
scale_spoilt__companion_grown() { spoilt companions_small sed -i 's/^most_kib .*/most_kib 17000/' memory; }
scale_spoilt__no_companions() { spoilt companions_small sed -i 's/^companions .*/companions 3/' memory; }
scale_spoilt__grace_requeued_twice() { records=$GRACE spoilt requeued_once count_up REQUEST_JOB_REQUEUE 2 1; }
scale_spoilt__grace_held() { records=$GRACE spoilt requeued_once count_up REQUEST_UPDATE_JOB 2 1; }
scale_spoilt__grace_not_back() { records=$GRACE spoilt came_back sed -i '/^end 1/d' life/3/life; }

"$HERE/run" --nodes 8 --jobs 24 --probes 6 --keep "$RECORDS" || TEST_FAILED=1
"$HERE/run" --nodes 8 --jobs 24 --grace 30 --keep "$GRACE" | sed 's/ scale__/ scale_grace__/' || TEST_FAILED=1
for name in $(declare -F | sed -n 's/.* \(scale_spoilt__\)/\1/p'); do
	run_case "$name"
done
test_end
