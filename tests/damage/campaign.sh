#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# time limit: 1500 seconds
#
# The damage campaign, see README.md. DAMAGE_SEED (default 20261122; "" is one by chance) and DAMAGE_COUNT (damaged
# files for each format and kind, default 72) can be given.
set -eu
DAMAGE_SEED=${DAMAGE_SEED-20261122}
cd "$(dirname "$0")/../.."
export CKPTCTL=${TEST_BUILD:-$PWD/build}/ckptctl PYTHONDONTWRITEBYTECODE=1
exec nice -n 5 /usr/bin/python3 tests/damage/campaign.py --count "${DAMAGE_COUNT:-72}" --least "${DAMAGE_LEAST:-20000}" \
	${DAMAGE_SEED:+--seed "$DAMAGE_SEED"}
