/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A step directory of Orbax (JAX): items in folders of their own, or one item directly. A writer
 * on a POSIX file system renames the directory when all is done.
 */
#ifndef CKPT_CORE_FORMAT_JAX_ORBAX_H
#define CKPT_CORE_FORMAT_JAX_ORBAX_H

#include "core/format/format.h"

/* Written into each step directory by Orbax 0.5 and later. */
#define CKPT_ORBAX_METADATA "_CHECKPOINT_METADATA"

/* The row "orbax". */
extern const struct ckpt_format ckpt_format_orbax;

#endif
