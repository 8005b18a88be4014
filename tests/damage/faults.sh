#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 900 seconds
#
# No fault of the reading becomes one of the checkpoint, see faults.py.
set -eu
cd "$(dirname "$0")/../.."
export TEST_BUILD=${TEST_BUILD:-$PWD/build} PYTHONDONTWRITEBYTECODE=1
exec nice -n 5 /usr/bin/python3 -W ignore tests/damage/faults.py "$@"
