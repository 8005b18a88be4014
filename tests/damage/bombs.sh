#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Hostile files: a clear verdict in bounded time and memory, see bombs.py.
set -eu
cd "$(dirname "$0")/../.."
export CKPTCTL=${TEST_BUILD:-$PWD/build}/ckptctl PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 -W ignore tests/damage/bombs.py
