/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects that links were seen to. Names stay in the file: their place is kept.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"
#include "wire/text.h"

#define PATH_DEPTH 32 /* parts of a path that are shown */

static uint32_t *slot_of(const struct ckpt_hdf5_objects *o, uint64_t addr)
{
	uint32_t i = (uint32_t)(addr * 0x9e3779b97f4a7c15u >> 32) & (o->n_slots - 1);

	while (o->slots[i] && o->list[o->slots[i] - 1].addr != addr)
		i = (i + 1) & (o->n_slots - 1);
	return &o->slots[i];
}

/* Doubles the table; the hash table is kept at most half full. */
static int grow(struct ckpt_hdf5_objects *o)
{
	uint32_t cap = o->cap ? 2 * o->cap : 256;
	struct ckpt_hdf5_known *list = realloc(o->list, cap * sizeof(*list));
	uint32_t *slots;

	if (!list)
		return -ENOMEM;
	o->list = list;
	slots = calloc(2 * (size_t)cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(o->slots);
	o->slots = slots;
	o->n_slots = 2 * cap;
	o->cap = cap;
	for (uint32_t i = 0; i < o->n; i++)
		*slot_of(o, o->list[i].addr) = i + 1;
	return 0;
}

void ckpt_hdf5_objects_done(struct ckpt_hdf5_objects *objects)
{
	free(objects->list);
	free(objects->slots);
}

int ckpt_hdf5_add(struct ckpt_hdf5 *h, const struct ckpt_hdf5_known *known)
{
	struct ckpt_hdf5_objects *o = &h->objects;
	uint32_t *slot;

	if (o->n == o->cap && o->n < CKPT_HDF5_OBJECTS && grow(o))
		return ckpt_fail(h->check->err, -ENOMEM, "no memory for the objects of %s",
				 CKPT_QUOTE(h->check->file->name));
	slot = slot_of(o, known->addr);
	if (*slot)
		return 0;
	if (o->n == CKPT_HDF5_OBJECTS) {
		o->cut = true;
		return 0;
	}
	o->list[o->n] = *known;
	o->list[o->n].parent = h->current;
	*slot = ++o->n;
	return 0;
}

/* Puts "NAME" or "NAME/" before what @ret holds from *@at on. */
static void prepend(struct ckpt_hdf5 *h, const struct ckpt_hdf5_known *known, char *ret, size_t *at)
{
	uint32_t n = known->name_len;
	char name[128];
	bool more = ret[*at] != '\0';
	const struct ckpt_file *file = h->check->file;

	if (n >= sizeof(name))
		n = sizeof(name) - 1;
	if (n + more > *at ||
	    ckpt_file_read(file, h->base + known->name_at, name, n, h->check->err) != 0)
		return;
	if (more)
		ret[--*at] = '/';
	*at -= n;
	memcpy(ret + *at, name, n);
}

void ckpt_hdf5_path(struct ckpt_hdf5 *h, uint32_t index, char *ret, size_t size)
{
	size_t at = size - 1;

	ret[at] = '\0';
	for (int i = 0; i < PATH_DEPTH && index > 0 && index < h->objects.n; i++) {
		prepend(h, &h->objects.list[index], ret, &at);
		index = h->objects.list[index].parent;
	}
	memmove(ret, ret + at, size - at);
}
