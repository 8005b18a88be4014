/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies below the highest names of a series, whose order may be another than that of the
 * saves: numbers that go round, epochs that begin again with an attempt while the steps go on.
 */
#ifndef CKPT_CORE_RESOLVE_BELOW_H
#define CKPT_CORE_RESOLVE_BELOW_H

#include "core/catalog/catalog.h"

/* A series, the highest name first. */
struct ckpt_below {
	struct ckpt_set *first;
	size_t n, looked;		   /* sets; how many from the first on were verified */
	const struct ckpt_report *highest; /* of the first valid one of these */
};

/*
 * True if what was not looked at may be ahead: the lowest name holds more progress than the highest
 * one, or, of names that go by epoch first, the one with the highest step does or is younger. Reads
 * the structure of these two at most.
 */
bool ckpt_below_is_ahead(struct ckpt_ctx *ctx, const struct ckpt_below *below);

#endif
