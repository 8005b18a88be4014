/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that list the directory of their own checkpoints, and take a name for one that only
 * begins as theirs do: what is put beside such a checkpoint stops them, or makes them start from
 * what is not there.
 */
#ifndef CKPT_CORE_CATALOG_LISTED_H
#define CKPT_CORE_CATALOG_LISTED_H

#include "core/catalog/catalog.h"

/* Whether the program of @set would take NAME.corrupted for a checkpoint. */
bool ckpt_set_renamed_is_listed(const struct ckpt_set *set);

/* Whether it would take the seal beside @set, NAME.metadata.json, for one, or die of it. */
bool ckpt_set_seal_is_listed(const struct ckpt_set *set);

/* What of its programs starts from the one with the highest number and looks at names alone; NULL:
 * nothing that is known. */
const char *ckpt_set_newest_taker(const struct ckpt_set *set);

#endif
