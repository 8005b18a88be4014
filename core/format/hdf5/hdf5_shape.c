/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the messages of one object say together. A header of version 2 has a checksum, which proves
 * them; one of version 1 has none, so that its data's length is compared with its space and type.
 */
#include "core/format/hdf5/hdf5_walk.h"

#define SPACE 0x01
#define TYPE 0x03

static int bad(struct ckpt_hdf5 *h, uint64_t addr, const char *what)
{
	return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, addr, "%s", what);
}

/*
 * Whatever a link leads to is a group, a data set or a named type (H5O__obj_class_real() of
 * H5Oint.c); a data set has all of space, type and layout.
 */
static int check_kind(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr)
{
	bool space = obj->has_space || obj->elsewhere >> SPACE & 1;
	bool type = obj->has_type || obj->elsewhere >> TYPE & 1;

	if (!obj->is_group && !type)
		return bad(h, addr, "an object is neither group nor dataset nor type");
	if (space != obj->has_layout || (space && !type))
		return bad(h, addr, "a data set without its space, its type or its layout");
	return 0;
}

/* Of data in one piece: as long as the library made them (H5D__contig_construct()). */
static int check_length(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr)
{
	uint64_t need;

	if (obj->n_external || obj->size == UINT64_MAX)
		return 0; /* the layout does not say */
	if (__builtin_mul_overflow(obj->items, obj->type_size, &need) || need != obj->size)
		return bad(h, addr, "the data of a data set have another length than its shape");
	return 0;
}

/* Of chunks: a dimension for each of the data set's, and the element's size. */
static int check_chunk(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr)
{
	if (obj->chunk_rank != obj->rank + 1 ||
	    obj->chunk_dims[obj->chunk_rank - 1] != obj->type_size)
		return bad(h, addr, "the chunks of a data set have another shape than it");
	return 0;
}

int ckpt_hdf5_shape(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj, uint64_t addr)
{
	int r = check_kind(h, obj, addr);

	if (r || obj->summed || !obj->has_layout || !obj->has_space || !obj->has_type)
		return r;
	switch (obj->layout) {
	case CKPT_HDF5_COMPACT:
	case CKPT_HDF5_CONTIGUOUS:
		return check_length(h, obj, addr);
	case CKPT_HDF5_CHUNKED:
		return check_chunk(h, obj, addr);
	}
	return 0;
}
