#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# No false alarm on what real writers leave, see genuine.py.
set -eu
cd "$(dirname "$0")/../.."
export CKPTCTL=${TEST_BUILD:-$PWD/build}/ckptctl PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -W ignore tests/damage/genuine.py
