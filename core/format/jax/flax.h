/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flax's own checkpoints (flax.training.checkpoints, flax.serialization.to_bytes): one MessagePack
 * object that fills the file, whose arrays are extensions with shape, type and bytes. Nothing in it
 * is a checksum. Arrays that several hosts share lie in the directory NAME_gda beside it.
 */
#ifndef CKPT_CORE_FORMAT_JAX_FLAX_H
#define CKPT_CORE_FORMAT_JAX_FLAX_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_flax;

/* True if the file that @check is of begins as such an object does: Orbax's old ones hold one. */
bool ckpt_flax_sniff(const struct ckpt_check *check);

#endif
