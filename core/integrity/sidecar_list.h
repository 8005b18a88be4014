/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The search for digests that others left with a checkpoint.
 */
#ifndef CKPT_CORE_INTEGRITY_SIDECAR_LIST_H
#define CKPT_CORE_INTEGRITY_SIDECAR_LIST_H

#include "core/integrity/sidecar_expected.h"

/* Fills @search->expected from all kinds of lists; those that cannot be read give nothing. */
void ckpt_sidecar_search(const struct ckpt_sidecar_search *search);

#endif
