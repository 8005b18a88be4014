# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What every test script begins with: cases are functions, each prints one line of
#   ok NAME | not ok NAME: why | skip NAME: why
# A case fails by its first failing command (set -e holds in it) or by `fail`, wherever that was called: where
# a subshell or a pipe swallowed its exit, its word in the log counts.

TEST_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TEST_BUILD=${TEST_BUILD:-$TEST_SRC/build}
TEST_ASAN=${TEST_ASAN:-$TEST_SRC/build-asan}
TEST_FAILED=0
TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/ckpt-test.XXXXXX")
chmod 755 "$TEST_TMP"
export TEST_SRC TEST_BUILD TEST_ASAN TEST_TMP

# Again where a process that is about to end writes into it.
test_cleanup()
{
	local i
	for ((i = 0; i < 20; i++)); do
		! rm -rf --one-file-system "$TEST_TMP" 2>/dev/null || return 0
		sleep 0.5
	done
	rm -rf --one-file-system "$TEST_TMP"
}
trap test_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits up to 40 s for COMMAND.
soon()
{
	local i
	for ((i = 0; i < 400; i++)); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# fail WHY: ends the case.
fail()
{
	echo "FAIL: $*" >&2
	exit 1
}

# late WHY: ends the case, which took longer than it may. Other work on the machine can do that: the case is run again,
# and has failed when that was so LATE_TRIES times in a row. TEST_TRY counts them, from 0.
late()
{
	echo "FAIL: $*" >&2
	exit "$LATE_CODE"
}

LATE_CODE=76 LATE_TRIES=3 TEST_TRY=0 TEST_CASE=

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
	local log=$TEST_TMP/case.log rc=0 name=$1 was=$-
	shift
	[[ -z ${TEST_ONLY:-} || $name == *"$TEST_ONLY"* ]] || return 0
	set +e
	TEST_CASE=$name
	for ((TEST_TRY = 0; TEST_TRY < LATE_TRIES; TEST_TRY++)); do
		(
			set -eu
			"$@"
		) >"$log" 2>&1
		rc=$?
		((rc == LATE_CODE)) || break
	done
	[[ $was != *e* ]] || set -e
	tell_case "$name" "$rc" "$log"
}

# words_of FAIL|SKIP LOG: the last such word of a case.
words_of() { sed -n "s/^$1: //p" "$2" | tail -n 1; }

# tell_case NAME EXIT-CODE LOG: what is said of a case. That of a program is not taken for our own word for `skip`.
tell_case()
{
	local failed skipped
	failed=$(words_of FAIL "$3")
	skipped=$(words_of SKIP "$3")
	if [[ $2 == 0 && -z $failed ]]; then
		echo "ok $1"
	elif [[ $2 == 77 && -n $skipped && -z $failed ]]; then
		echo "skip $1: $skipped"
	else
		TEST_FAILED=1
		echo "not ok $1: ${failed:-$(tail -n 1 "$3") (exit code $2)}"
		sed 's/^/# /' "$3"
	fi
}

# Ends the script: non-zero when a case failed.
test_end() { exit "$TEST_FAILED"; }

equal() { [[ $1 == "$2" ]] || fail "${3:-value} is '$1', expected '$2'"; }

contains() { [[ $1 == *"$2"* ]] || fail "'$2' is not in: $1"; }

lacks() { [[ $1 != *"$2"* ]] || fail "'$2' should not be in: $1"; }

file_has() { grep -qF -- "$2" "$1" || fail "'$2' is not in $1: $(head -c 2000 "$1")"; }

# Of a file that is there: in one that was never written nothing could be seen.
file_lacks()
{
	[[ -r $1 ]] || fail "$1 is not there: that '$2' is not in it shows nothing"
	! grep -qF -- "$2" "$1" || fail "'$2' should not be in $1"
}

# exits CODE COMMAND...: the command ends with that exit code.
exits()
{
	local want=$1 rc=0 && shift
	"$@" || rc=$?
	[[ $rc == "$want" ]] || fail "exit code $rc, expected $want: $*"
}
