#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 900 seconds
#
# What the companion does at a stall and before the time limit, and what becomes of the job then.
set -eu
export COMPANION_CASES="leaves_with_0 before_the_limit left_alone_until_the_limit slurmctld_away no_room_before_the_limit
held_after_three_stalls"
COMPANION_CASES=${COMPANION_CASES//$'\n'/ }
exec bash "$(dirname "$0")/companion.sh"
