/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Averages of weights beside what they are averages of: NeMo saves NAME-EMA.ckpt a moment after
 * NAME.ckpt (nemo/collections/common/callbacks/ema.py), other programs ema_last.pt beside last.pt.
 * They have the same step and are the younger ones, but training goes on from the plain one.
 */
#ifndef CKPT_CORE_CATALOG_AVERAGES_H
#define CKPT_CORE_CATALOG_AVERAGES_H

#include "core/catalog/catalog.h"

/*
 * Sets @ret[i], false before, where by its name @sets[i] is an average of another of the @n @sets,
 * in the same directory: it has that one's name and the word "ema" or "swa" in it. 0 or -ENOMEM.
 */
int ckpt_averages_find(struct ckpt_set *const *sets, size_t n, bool *ret);

#endif
