# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A live test script: one private cluster for all its cases, and after each of them every node idle.
. "$(dirname "${BASH_SOURCE[0]}")/assert.sh"
. "$(dirname "${BASH_SOURCE[0]}")/install.sh"
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"

live_cleanup()
{
	cluster_stop || true
	test_cleanup
}

# Starts the cluster; without one, the script ends as failed.
live_start()
{
	trap live_cleanup EXIT
	cluster_start || { echo "not ok live_start: the private cluster did not start" && exit 1; }
	# The owner of the jobs reads and writes here.
	chmod 755 "$TEST_TMP"
}

live_body()
{
	((TEST_TRY == 0)) || cluster_heal
	"$@"
	nodes_idle
}

# live_case FUNCTION: as run_case, then the nodes must be idle; what is left of jobs is ended.
live_case()
{
	[[ -z ${TEST_ONLY:-} || $1 == *"$TEST_ONLY"* ]] || return 0
	run_case_as "$1" live_body "$@"
	cluster_heal || true
}
