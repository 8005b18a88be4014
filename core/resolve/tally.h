/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a decision adds to the site's counters. Starts and ends both count, and see the same files:
 * an end finds what the next start puts into quarantine, and that start's own end finds it again
 * where it stayed. So each file counts once, with the first entry of the ledger that names it.
 */
#ifndef CKPT_CORE_RESOLVE_TALLY_H
#define CKPT_CORE_RESOLVE_TALLY_H

#include "core/resolve/resolve.h"

/*
 * Fills @ret's `rejected` and `verify_ms` from the trail of @res, to which @ret may belong: what is
 * newer than what was chosen (all, where nothing was), and not in an entry of the ledgers that
 * @res was resolved by. Entries that were cut short name nothing: theirs may count twice.
 */
void ckpt_tally(const struct ckpt_resolution *res, struct ckpt_decision *ret);

#endif
