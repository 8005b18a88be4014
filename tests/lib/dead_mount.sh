# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A mount that never answers. Whoever touches it sleeps until dead_release: nothing here stats the path.

DEAD_LOG=$TEST_TMP/dead-fuse.log

dead_mounted() { grep -qF " $1 fuse" /proc/mounts; }

dead_up() { dead_mounted "$1" && grep -q answered "$DEAD_LOG"; }

# dead_mount DIR: skips the case where there is no FUSE.
dead_mount()
{
	local try rc=0
	((EUID == 0)) || skip_case "needs root, to mount"
	"$TEST_BUILD/tests/ckpt-dead-fuse" "$1" >"$DEAD_LOG" 2>&1 &
	DEAD_PID=$! DEAD_DIR=$1
	trap dead_release EXIT
	for try in {1..50}; do
		! dead_up "$1" || return 0
		kill -0 "$DEAD_PID" 2>/dev/null || break
		sleep 0.1
	done
	wait "$DEAD_PID" || rc=$?
	[[ $rc == 77 ]] || fail "ckpt-dead-fuse ended with $rc after $try looks"
	skip_case "no /dev/fuse here, or it may not be mounted"
}

# dead_asked: somebody really waits in it.
dead_asked() { grep -q '^kept' "$DEAD_LOG" || fail "nobody touched the dead mount"; }

# From now on everything in it fails with ENOTCONN, which wakes those who wait.
dead_release()
{
	[[ -n ${DEAD_PID:-} ]] || return 0
	kill -KILL "$DEAD_PID" 2>/dev/null || true
	wait "$DEAD_PID" 2>/dev/null || true
	DEAD_PID=
	umount -l "$DEAD_DIR" 2>/dev/null || true
}
