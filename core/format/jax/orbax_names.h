/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of the arrays that lie in a data file of an Orbax tree.
 */
#ifndef CKPT_CORE_FORMAT_JAX_ORBAX_NAMES_H
#define CKPT_CORE_FORMAT_JAX_ORBAX_NAMES_H

#include "core/format/names_at.h"

/*
 * The at() of a directory that holds one tree (an item of a step): of an OCDBT store the arrays
 * whose values lie in @extent, each once, or "the tree" where the walk ends at a fault there; else
 * the folder of the file, which is the array's. Nothing where values lie elsewhere.
 */
int ckpt_orbax_at(struct ckpt_check *check, const struct ckpt_extent *extent,
		  struct ckpt_names *names);

#endif
