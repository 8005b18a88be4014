#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the agent of a hook can still do once it is confined: threads and files, and no process beside or after it.
. "$(dirname "$0")/../lib/assert.sh"

CONFINED=$TEST_BUILD/tests/ckpt-confined

# Started by a shell that waits, so that it leads no group and could make a session.
tried() { bash -c '"$1" & wait $!' - "$CONFINED"; }

refused_and_allowed()
{
	local name said
	said=$'\n'$(tried)$'\n'
	for name in fork clone clone3 spawn exec socket ptrace unshare session group outlive; do
		contains "$said" $'\n'"refused $name"$'\n'
	done
	for name in thread files; do
		contains "$said" $'\n'"allowed $name"$'\n'
	done
}

run_case refused_and_allowed
test_end
