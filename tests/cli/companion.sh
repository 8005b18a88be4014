#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ckptctl companion: the companion of a script by hand, on disks that fill up, directories that vanish and
# mounts that die.
set -eu
. "$(dirname "$0")/../lib/assert.sh"
. "$(dirname "$0")/../lib/dead_mount.sh"

CTL=$TEST_BUILD/ckptctl
GLOB='state-*.dat'
unset "${!SLURM_@}" "${!CKPT_@}"
WORK=$TEST_TMP/work
EVAL="eval \"\$($CTL env --glob='$GLOB' || echo exit \$?)\""

script()
{
	rc=0
	bash -c "$1" >/dev/null 2>"$TEST_TMP/words" || rc=$?
	words=$(<"$TEST_TMP/words")
}

# The companions whose task is the shell PID; those that have been killed and that a mount still holds aside.
companions_of()
{
	local dir
	for dir in /proc/[0-9]*; do
		[[ $(cat "$dir/comm" 2>/dev/null) == ckpt-companion ]] || continue
		! grep -q '^State:.D' "$dir/status" 2>/dev/null || continue
		! grep -qszFx "CKPT_COMPANION_TASK=$1" "$dir/environ" || echo "${dir#/proc/}"
	done
}

none_left() { [[ -z $(companions_of "$1") ]]; }

# begin OPTIONS...: a script that saves its first checkpoint and goes on while `hold` exists: $pid.
begin()
{
	touch hold
	mkdir -p checkpoints
	bash -c "$EVAL; $CTL companion --glob='$GLOB' $*; echo \$?; echo 'state 1' >checkpoints/state-1.dat
		while [[ -e hold ]]; do sleep 0.1; done" >said 2>words &
	pid=$!
}

is_sealed() { [[ -s checkpoints/state-$1.dat.metadata.json ]]; }

# ends: the script, and its companion with it.
ends()
{
	rm hold
	wait "$pid" || fail "the script ended with $?: $(<words)"
	soon none_left "$pid" || fail "it outlives its script"
}

companion__by_hand()
{
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	equal "$(<said)" 0
	soon grep -q '"event":"checkpoint"' checkpoints/.ckpt-resume/ledger.jsonl || fail "nothing in the ledger"
	[[ -n $(companions_of "$pid") ]] || fail "no companion runs"
	ends
}

# What cannot be written is left, nothing of it stays, and what comes when there is room is sealed.
companion__full_disk()
{
	local before
	mkdir checkpoints
	mount -t tmpfs -o size=256k tmpfs checkpoints 2>/dev/null || skip_case "may not mount here"
	trap 'umount -l checkpoints' EXIT
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	before=$(companions_of "$pid")
	echo "state 2" >checkpoints/state-2.dat
	head -c 1M /dev/zero >checkpoints/filler 2>/dev/null || true
	sleep 6
	! is_sealed 2 || fail "sealed on a full disk"
	equal "$(find checkpoints -name '*.metadata.json*' | wc -l)" 1 "what was left of it"
	rm checkpoints/filler
	echo "state 3" >checkpoints/state-3.dat
	soon is_sealed 3 || fail "nothing was sealed when there was room"
	equal "$(companions_of "$pid" | head -n 1)" "$(head -n 1 <<<"$before")" "the companion"
	ends
}

companion__vanished_directory()
{
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	mv checkpoints gone
	sleep 4
	[[ ! -e checkpoints ]] || fail "made a directory"
	mkdir checkpoints
	echo "state 2" >checkpoints/state-2.dat
	soon is_sealed 2 || fail "nothing was sealed when it was back"
	ends
	equal "$(<words)" "$(head -n 1 words)" "more than the decision was said"
}

# Whoever waits for a mount that never answers does not hold the companion's end.
companion__dead_mount()
{
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	dead_mount "$PWD/checkpoints"
	soon grep -q '^kept' "$DEAD_LOG" || fail "nobody touched the dead mount"
	[[ -n $(companions_of "$pid") ]] || fail "no companion runs"
	ends
}

# accelerate takes all that lies in its folder for checkpoints: what is found whole there is told, and no seal is left.
companion__where_a_seal_would_be_listed()
{
	local dir=checkpoints/checkpoint_1 ledger=checkpoints/.ckpt-resume/ledger.jsonl
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	python3 - $dir <<-'SCRIPT'
	import os, sys, zipfile
	os.mkdir(sys.argv[1])
	for name in "optimizer.bin", "random_states_0.pkl":
	    with zipfile.ZipFile(sys.argv[1] + "/" + name, "w") as z:
	        z.writestr("archive/data.pkl", b"\x80\x02}.")
	        z.writestr("archive/version", "3\n")
	header = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
	with open(sys.argv[1] + "/model.safetensors", "wb") as f:
	    f.write(len(header).to_bytes(8, "little") + header + bytes(8))
	SCRIPT
	soon grep -q '"name":"checkpoint_1"' $ledger || fail "it was not looked into: $(<$ledger)"
	grep '"name":"checkpoint_1"' $ledger | grep -q '"verdict":"valid"' || fail "$(grep checkpoint_1 $ledger)"
	echo "state 2" >checkpoints/state-2.dat
	soon is_sealed 2 || fail "nothing was sealed afterwards"
	equal "$(cd checkpoints && echo checkpoint_1*)" checkpoint_1 "what lies beside it"
	"$CTL" seal $dir >/dev/null || fail "ckptctl does not seal it"
	[[ -s $dir.metadata.json ]] || fail "ckptctl leaves no seal"
	ends
}

# elder N: saves one whose time says that it is older than the others. The newest is looked into first.
elder()
{
	echo "state $1" >"state-$1.new"
	touch -d '1 hour ago' "state-$1.new"
	mv "state-$1.new" "checkpoints/state-$1.dat"
}

# What somebody still has open to write is not sealed, however long nothing is written.
companion__a_writer_that_rests()
{
	local i
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	exec 5>checkpoints/state-2.dat
	echo "state 2" >&5
	for i in 3 4; do
		elder $i
		soon is_sealed $i || fail "state $i was not sealed"
	done
	! is_sealed 2 || fail "sealed while it is written"
	exec 5>&-
	soon is_sealed 2 || fail "not sealed when it is whole"
	ends
}

left() { (cd checkpoints && printf '%s\n' state-*.dat) | tr -dc 0-9; }
left_are() { [[ $(left) == "$1" ]]; }

# The newest two stay.
companion__keeps_the_newest()
{
	local i
	begin --keep=2
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	for i in 2 3; do
		echo "state $i" >"checkpoints/state-$i.dat"
		soon is_sealed $i || fail "state $i was not sealed"
	done
	soon left_are 23 || fail "there are $(left)"
	ends
}

# What an error or a change of its own may have spoilt is looked into again before anybody is told of it.
companion__a_damaged_one_is_not_told_at_once()
{
	begin
	soon is_sealed 1 || fail "nothing was sealed: $(<words)"
	python3 - checkpoints/state-2.dat <<-'SCRIPT'
	import sys, zipfile
	with zipfile.ZipFile(sys.argv[1], "w") as z:
	    z.writestr("archive/data.pkl", b"\x80\x02}.")
	    z.writestr("archive/version", "3\n")
	with open(sys.argv[1], "r+b") as f:
	    f.seek(f.read().index(b"\x80\x02}."))
	    f.write(b"\x81")
	SCRIPT
	elder 3
	soon is_sealed 3 || fail "nothing was sealed beside it"
	elder 4
	soon is_sealed 4 || fail "nothing was sealed after it"
	! is_sealed 2 || fail "it was sealed"
	file_lacks checkpoints/.ckpt-resume/ledger.jsonl '"name":"state-2.dat"'
	ends
}

companion__refusals()
{
	exits 2 "$TEST_BUILD/ckpt-companion" 2>/dev/null 3<&-
	exits 1 env CKPT_REQUEST_ATTEMPT=x "$TEST_BUILD/ckpt-companion" 2>words 3</dev/null
	file_has words "ckpt-resume: warning: no companion: "
	mkdir checkpoints
	script "$CTL companion"
	equal "$rc" 1 "without a decision"
	contains "$words" "ckptctl env"
	script "$EVAL; $CTL companion --stall=10"
	equal "$rc" 2 "a stall without Slurm"
	script "$EVAL; $CTL companion --keep=1"
	equal "$rc" 2 "nothing to fall back on"
	contains "$words" "--keep='1' leaves nothing to fall back on"
}

for name in $(declare -F | sed -n 's/^declare -f \(companion__.*\)/\1/p'); do
	mkdir "$WORK-$name" && cd "$WORK-$name"
	run_case "$name"
done
test_end
