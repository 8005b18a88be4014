#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckptctl prune: what goes and what stays, of files that are really sealed.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
GLOB='state-*.dat'
unset "${!SLURM_@}" "${!CKPT_@}"
WORK=$TEST_TMP/work

# Makes checkpoints/state-1.dat ... state-5.dat, sealed.
put_five()
{
	mkdir -p checkpoints
	for i in 1 2 3 4 5; do
		echo "state $i" >"checkpoints/state-$i.dat"
	done
	"$CTL" seal -q checkpoints/state-*.dat >/dev/null
}

# ctl ARGUMENT...: $out, $words and $rc.
ctl()
{
	rc=0
	out=$("$CTL" "$@" 2>words) || rc=$?
	words=$(<words)
}

# left: the digits of those that are there.
left() { (cd checkpoints && printf '%s\n' state-*.dat) | tr -dc 0-9; }

prune__dry_run_tells_and_removes_nothing()
{
	put_five
	ctl prune --glob="$GLOB" --keep=3 --dry-run
	equal "$rc" 0
	equal "$out" "$PWD/checkpoints/state-1.dat"$'\n'"$PWD/checkpoints/state-2.dat"
	equal "$words" "ckptctl: would remove 2 checkpoints, 16 B"
	equal "$(left)" 12345
	ctl prune --glob="$GLOB" --keep=3 --dry-run --json
	equal "$(jq -c '[(.paths | length), .bytes, .removed, .spared, .dry_run]' <<<"$out")" '[2,16,0,0,true]'
}

# Nothing is removed that cannot be noted, or where the run's state cannot be told.
prune__removes_nothing_behind_the_ledgers_back()
{
	put_five
	mkdir -p checkpoints/.ckpt-resume
	ln -s ledger.jsonl checkpoints/.ckpt-resume/ledger.jsonl
	ctl prune --glob="$GLOB" --keep=2
	equal "$rc" 1 "exit code without a ledger"
	contains "$words" "removed 0 of 3"
	equal "$(left)" 12345
	rm -r checkpoints/.ckpt-resume
	touch checkpoints/.ckpt-resume
	ctl prune --glob="$GLOB" --keep=2
	equal "$rc" 3 "exit code without the run's state"
	contains "$words" "; nothing was removed"
	equal "$(left)" 12345
}

prune__removes_with_their_seals()
{
	put_five
	ln -s state-2.dat checkpoints/favourite
	ctl prune --glob="$GLOB" --keep=2,best=2
	equal "$rc" 0
	contains "$words" "removed 2 of 2"
	lacks "$words" "No such file"
	contains "$words" "1 stay that something refers to"
	equal "$(left)" 245
	equal "$(printf '%s\n' checkpoints/*.metadata.json | tr -dc 0-9)" 245
	ctl prune --glob="$GLOB" --keep=2
	equal "$rc" 0
	contains "$words" "nothing to remove; 1 stay"
}

prune__refuses_where_a_job_is_at_work()
{
	SLURM_JOB_ID=4711 SLURM_CLUSTER_NAME=test SLURM_RESTART_COUNT=0 "$CTL" env --glob="$GLOB" \
		>/dev/null 2>&1
	# hooks, which record ends, are at work here
	echo '{"event":"end","job_id":4710,"cluster":"test","attempt":0}' >>checkpoints/.ckpt-resume/ledger.jsonl
	put_five
	ctl prune --glob="$GLOB" --keep=2
	equal "$rc" 1
	contains "$words" "job 4711"
	equal "$(left)" 12345
	ctl prune --glob="$GLOB" --keep=2 --force
	equal "$rc" 0
	equal "$(left)" 45
	equal "$(jq -r 'select(.event == "pruned") | .names | join(" ")' \
		checkpoints/.ckpt-resume/ledger.jsonl)" "state-1.dat state-2.dat state-3.dat"
}

prune__bad_options()
{
	local bad

	put_five
	for bad in "" --keep=1 --keep=x --keep= --keep=3,best=0 --keep=3,last=1; do
		ctl prune --glob="$GLOB" ${bad:+"$bad"}
		equal "$rc" 2 "$bad"
		contains "$words" "--keep"
	done
	equal "$(left)" 12345
}

for name in $(declare -F | sed -n 's/^declare -f \(prune__.*\)/\1/p'); do
	rm -rf "$WORK" && mkdir "$WORK" && cd "$WORK"
	run_case "$name"
done
test_end
