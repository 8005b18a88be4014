/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An array as Flax puts it into a MessagePack extension: an array of shape, type's name and bytes.
 */
#ifndef CKPT_CORE_FORMAT_JAX_FLAX_ARRAY_H
#define CKPT_CORE_FORMAT_JAX_FLAX_ARRAY_H

#include "core/base/window.h"

/* What is in the extension. */
struct ckpt_flax_array {
	uint64_t elements;
	uint64_t shape;	  /* a hash of its dimensions */
	const char *type; /* its name; NULL: not one that is known here */
	bool has_number;  /* one integer, or one float that is whole */
	int64_t number;
	const char *wrong; /* why it is none */
};

#define CKPT_FLAX_ARRAY_BAD 1 /* ret->wrong says why */

/* Reads the extension's bytes, the range of @in, to their end. 0, CKPT_FLAX_ARRAY_BAD or an errno.
 */
int ckpt_flax_array_read(struct ckpt_window *in, struct ckpt_flax_array *ret);

#endif
