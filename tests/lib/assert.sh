# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What every test script begins with: cases are functions, each prints one line of
#   ok NAME | not ok NAME: why | skip NAME: why
# A case fails by its first failing command (set -e holds in it) or by `fail`.

TEST_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TEST_BUILD=${TEST_BUILD:-$TEST_SRC/build}
TEST_ASAN=${TEST_ASAN:-$TEST_SRC/build-asan}
TEST_FAILED=0
TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-test.XXXXXX")
chmod 755 "$TEST_TMP"
export TEST_SRC TEST_BUILD TEST_ASAN TEST_TMP

test_cleanup() { rm -rf --one-file-system "$TEST_TMP"; }
trap test_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# fail WHY: ends the case.
fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

# skip_case WHY: ends the case as skipped.
skip_case()
{
	echo "SKIP: $*" >&2
	exit 77
}

# run_case FUNCTION [ARGUMENTS...]: runs it in a subshell under set -eu; its output shows on failure.
run_case() { run_case_as "$1" "$@"; }

# run_case_as NAME COMMAND...
run_case_as()
{
	local log=$TEST_TMP/case.log rc=0 name=$1 why was=$-
	shift
	[[ -z ${TEST_ONLY:-} || $name == *"$TEST_ONLY"* ]] || return 0
	set +e
	(
		set -eu
		"$@"
	) >"$log" 2>&1
	rc=$?
	[[ $was != *e* ]] || set -e
	why=$(sed -n 's/^\(FAIL\|SKIP\): //p' "$log" | tail -n 1)
	case $rc in
	0) echo "ok $name" ;;
	77) echo "skip $name: ${why:-no reason given}" ;;
	*)
		TEST_FAILED=1
		echo "not ok $name: ${why:-$(tail -n 1 "$log") (exit code $rc)}"
		sed 's/^/# /' "$log"
		;;
	esac
}

# Ends the script: non-zero when a case failed.
test_end() { exit "$TEST_FAILED"; }

equal() { [[ $1 == "$2" ]] || fail "${3:-value} is '$1', expected '$2'"; }

contains() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }

lacks() { [[ $1 != *"$2"* ]] || fail "'$2' should not be in: $1"; }

file_has() { grep -qF -- "$2" "$1" || fail "'$2' is not in $1: $(head -c 2000 "$1")"; }

file_lacks() { ! grep -qF -- "$2" "$1" || fail "'$2' should not be in $1"; }

# exits CODE COMMAND...: the command ends with that exit code.
exits()
{
	local want=$1 rc=0 && shift
	"$@" || rc=$?
	[[ $rc == "$want" ]] || fail "exit code $rc, expected $want: $*"
}
