/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two saves of one run, tensor by tensor: which have another type, another shape, are not there any
 * more, or came in their stead. What differs is worth a remark and no more: a program may change
 * what it saves.
 */
#ifndef CKPT_CORE_INTEGRITY_SIBLINGS_H
#define CKPT_CORE_INTEGRITY_SIBLINGS_H

#include "core/catalog/catalog.h"

#define CKPT_SIBLINGS_TENSORS 131072 /* of a save that are compared: 16 MiB for both */

/* A kind of difference: how many tensors, and the first one in the file's order. */
struct ckpt_difference {
	uint64_t n;
	char name[160];
	struct {
		char type[16];
		uint64_t count;
	} own, old;
};

struct ckpt_siblings {
	uint64_t own, old;	      /* names that were compared */
	struct ckpt_difference types; /* another type of number */
	struct ckpt_difference sizes; /* fewer numbers, or as many in another shape */
	struct ckpt_difference gone;  /* in the elder alone */
	struct ckpt_difference fresh; /* in the younger alone, where some are gone; else 0 */
};

/*
 * Compares the tensors of @own with those of its elder @old, by names: all files of either whose
 * rows tell them (PyTorch zip and DCP, safetensors, HDF5, Keras, npy, npz, NetCDF, flax,
 * Orbax, TensorFlow). Tensors that have only grown are no difference where most have not: histories
 * do so; nor are those of another number of ranks. New ones count beside such that are gone:
 * together they are a renaming, or another model. Alone they are what runs do, and nothing is lost
 * by them: an optimizer's states from its first step on, averages from theirs, layers that thaw,
 * one more history. Reads headers, no data. 0; -E2BIG for more tensors or files than are compared;
 * or as a check function where a file could not be read.
 */
int ckpt_siblings_compare(struct ckpt_ctx *ctx, const struct ckpt_set *own,
			  const struct ckpt_set *old, struct ckpt_siblings *ret);

/* What @s found, as clauses with "; " between, into @buf; "" where nothing differs. @elder is the
 * name of the other. Returns @buf. */
const char *ckpt_siblings_words(const struct ckpt_siblings *s, const char *elder, char *buf,
				size_t size);

#endif
