/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of a safetensors file's numbers, as their names stand in its header.
 */
#ifndef CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_DTYPE_H
#define CKPT_CORE_FORMAT_ARRAY_SAFETENSORS_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/floats.h"

/* What one element is. */
struct ckpt_safetensors_dtype {
	unsigned bits;
	enum ckpt_float type;
	bool later; /* no type known here: the width is what the name says */
};

/*
 * Looks up the type @name of @len bytes. One that is not known passes for a later version's where
 * its name gives a width (U24, BF8, F8_E3M4), its layout adds up to that, and no single bit makes
 * another type of it: then it is that one, damaged. False for any other name.
 */
bool ckpt_safetensors_dtype(const char *name, size_t len, struct ckpt_safetensors_dtype *ret);

/*
 * Whether a flipped bit in a digit makes @name of a known type of which @elements have exactly
 * @bytes: asked where a later type's bits do not fill theirs, which a few of a narrower one never
 * tell apart (I60 and I64 of one element).
 */
bool ckpt_safetensors_dtype_flipped(const char *name, uint64_t elements, uint64_t bytes);

#endif
