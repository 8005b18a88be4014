#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The companion where Slurm keeps a job's processes in a control group.
set -eu
if [[ ! -d /sys/fs/cgroup/freezer ]] || ((EUID != 0)); then
	echo "skip live_companion__cgroup: no control groups of version 1 that are ours"
	exit 0
fi
export CLUSTER_PROCTRACK=cgroup
export COMPANION_CASES="is_nobodys_child ends_with_the_attempt not_in_the_way_of_the_end short_and_refused stalled leaves_with_0 before_the_limit"
exec bash "$(dirname "$0")/companion.sh"
