/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame of OCDBT objects (TensorStore's key-value store, which Orbax saves arrays in): magic,
 * length, body, CRC-32C. https://google.github.io/tensorstore/kvstore/ocdbt/index.html
 */
#ifndef CKPT_CORE_FORMAT_JAX_OCDBT_H
#define CKPT_CORE_FORMAT_JAX_OCDBT_H

#include "core/format/format.h"

/* The manifest, check->file: exactly one object. As a check function. */
int ckpt_ocdbt_manifest(struct ckpt_check *check);

/*
 * A data file, check->file: a log of values, of nodes, or of both. An object at its beginning is
 * checked; what lies behind it, and plain values, only their tree could tell. As a check function.
 */
int ckpt_ocdbt_data(struct ckpt_check *check);

#endif
