/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of what lies where bytes of a set were found to differ.
 */
#ifndef CKPT_CORE_INTEGRITY_DAMAGE_NAMES_H
#define CKPT_CORE_INTEGRITY_DAMAGE_NAMES_H

#include "core/catalog/catalog.h"
#include "core/format/names_at.h"

/*
 * What lies in @extent of @set, whose file @extent->file is relative to its root (files.h), in
 * words into @buf: "layer.0.weight, layer.0.bias and 3 more". "" where it is not known. Reads what
 * the format keeps its names in, nothing else.
 */
void ckpt_damage_names(struct ckpt_ctx *ctx, const struct ckpt_set *set,
		       const struct ckpt_extent *extent, char *buf, size_t size);

#endif
