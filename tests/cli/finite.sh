#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `--level=finite`: exit codes and words for what is finite, poisoned, and not looked through.
set -eu
. "$(dirname "$0")/../lib/assert.sh"

CTL=$TEST_BUILD/ckptctl
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

make_files()
{
	cd "$TEST_TMP"
	"$PYTHON" - <<-'END' || skip_case "no torch"
		import torch
		for name, value in ('good', 0.), ('bad', float('nan')):
		    torch.save({'model': {'w': torch.tensor([1., value, 2.]), 'b': torch.zeros(3)}, 'step': 4}, name + '_4.pt')
	END
	printf 'who knows' >other_4.dump
}

finite__exit_codes()
{
	make_files
	answers 0 validate --level=finite good_4.pt
	contains "$out" "no NaN, no Inf in 2 tensors"
	answers 1 validate --level=finite bad_4.pt
	contains "$out" "valid but poisoned: 1 NaN in 1 of 2 tensors, first model/w at "
	answers 0 validate --level=full bad_4.pt
	answers 3 validate --level=finite other_4.dump
	contains "$out" "not looked through"
	answers 3 validate --level=finite good_4.pt bad_4.pt other_4.dump
	answers 3 validate --level=finite other_4.dump bad_4.pt good_4.pt
	answers 1 validate --level=finite bad_4.pt good_4.pt
	answers 1 info --level=finite bad_4.pt
	answers 2 list --level=finite .
}

# What was looked through is good; what was not keeps that from being a yes.
finite__partly_looked_through()
{
	cd "$TEST_TMP"
	"$PYTHON" -c 'import torch; torch.save({"model": {"w": torch.ones(3)}, "raw": torch.UntypedStorage(8)}, "raw_4.pt")' ||
		skip_case "no torch that has untyped storages"
	answers 3 validate --level=finite raw_4.pt
	contains "$out" "no NaN, no Inf in 1 tensors; 1 not looked through"
}

finite__json()
{
	make_files
	answers 1 validate --json --level=finite bad_4.pt
	equal "$(json 'v["verdict"], v["problem"]["code"], v["problem"]["member"]')" "('valid', 'non-finite', 'model/w')"
	equal "$(json '[v["finite"][k] for k in ("tensors", "poisoned", "nan", "inf", "not_looked_through")]')" "[2, 1, 1, 0, 0]"
	equal "$(json 'v["finite"]["first"][0]["tensor"], v["finite"]["first"][0]["nan"]')" "('model/w', 1)"
	equal "$("$PYTHON" -c 'import struct,sys; f = open("bad_4.pt","rb"); f.seek(int(sys.argv[1])); print(struct.unpack("<f", f.read(4))[0])' \
		"$(json 'v["problem"]["offset"]')")" nan
	answers 0 validate --json bad_4.pt
	equal "$(json '"finite" in v')" False
}

# A seal says nothing about the numbers: they are looked at all the same.
finite__sealed()
{
	make_files
	answers 0 seal bad_4.pt
	answers 1 validate --json --level=finite bad_4.pt
	equal "$(json 'v["evidence"], v["finite"]["nan"]')" "('seal', 1)"
}

run_case finite__exit_codes
run_case finite__partly_looked_through
run_case finite__json
run_case finite__sealed
test_end
