/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single numbers that tell the training's progress: attributes of the root group ("epoch"), data
 * sets in the root group, and optimizers' counters ("optimizer_weights/Adam/iter:0"; Keras 3 keeps
 * them as "optimizer/vars/0").
 */
#include <stdio.h>
#include <string.h>

#include "core/format/hdf5/hdf5_walk.h"
#include "core/format/scalar.h"
#include "wire/text.h"

#define KERAS3_ITERATIONS "optimizer/vars/0"

static int take(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *value, uint64_t addr,
		const char *path)
{
	uint8_t data[8];
	struct ckpt_scalar scalar = {
		.kind = value->type_class == 1 ? 'f'
			: value->is_signed     ? 'i'
					       : 'u',
		.big = value->big,
		.size = value->type_size,
		.data = data,
	};
	int r;

	if (!value->has_space || !value->has_type || value->items != 1 || value->type_class > 1 ||
	    value->type_size < 1 || value->type_size > sizeof(data))
		return 0;
	r = ckpt_hdf5_read(h, addr, data, value->type_size);
	if (r == 0)
		ckpt_scalar_take(h->check->report, path, &scalar);
	return r;
}

/* Begins a part of @len bytes of the attribute at @cur and steps over it, padded in version 1. */
static struct ckpt_hdf5_cur part(struct ckpt_hdf5_cur *cur, unsigned len, unsigned version)
{
	struct ckpt_hdf5_cur ret = *cur;

	ckpt_hdf5_skip(cur, version == 1 ? (len + 7u) / 8 * 8 : len);
	ret.end = cur->at;
	return ret;
}

/* Keras writes its version as a text of either kind. */
static void note_framework(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *value,
			   const struct ckpt_hdf5_cur *cur)
{
	struct ckpt_report *report = h->check->report;
	uint64_t size = value->type_size;
	char text[32] = "";

	size = size < sizeof(text) - 1 ? size : sizeof(text) - 1;
	if (value->type_class == 9)
		ckpt_hdf5_text(h, cur->at, text, sizeof(text));
	else if (value->type_class != 3 || size > cur->end - cur->at ||
		 ckpt_hdf5_read(h, cur->at, text, size))
		return;
	ckpt_text_clean(text);
	snprintf(report->framework, sizeof(report->framework), "Keras %s", text);
}

int ckpt_hdf5_attribute(struct ckpt_hdf5_cur *cur)
{
	struct ckpt_hdf5_object value = { 0 };
	struct ckpt_hdf5_cur name, type, space;
	unsigned version = (unsigned)ckpt_hdf5_uint(cur, 1);
	unsigned flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	unsigned name_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	unsigned type_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	unsigned space_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	char text[32] = "";
	int r;

	if (version == 3)
		ckpt_hdf5_skip(cur, 1);
	name = part(cur, name_len, version);
	type = part(cur, type_len, version);
	space = part(cur, space_len, version);
	if (cur->r)
		return cur->r;
	if (version < 1 || version > 3)
		return ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at,
					"an attribute of version %u", version);
	if (version > 1 && (flags & 3)) /* type or space are kept elsewhere */
		return 0;
	r = ckpt_hdf5_message(&type, 0x03, &value);
	r = r ? r : ckpt_hdf5_message(&space, 0x01, &value);
	r = r ? r : ckpt_hdf5_variable(cur->h, &value, cur->at, cur->end - cur->at);
	if (r || cur->h->current != 0 || name_len >= sizeof(text))
		return r;
	r = ckpt_hdf5_read(cur->h, name.at, text, name_len);
	text[name_len] = '\0';
	if (r == 0 && strcmp(text, "keras_version") == 0)
		note_framework(cur->h, &value, cur);
	return r ? r : take(cur->h, &value, cur->at, text);
}

int ckpt_hdf5_scalar(struct ckpt_hdf5 *h, const struct ckpt_hdf5_object *obj)
{
	char path[256];

	if (!obj->has_layout || obj->layout > CKPT_HDF5_CONTIGUOUS || obj->items != 1 ||
	    obj->addr == CKPT_HDF5_NONE)
		return 0;
	ckpt_hdf5_path(h, h->current, path, sizeof(path));
	if (strcmp(path, KERAS3_ITERATIONS) == 0 && obj->type_class == 0)
		return take(h, obj, obj->addr, "iter");
	if (!ckpt_scalar_wanted(path))
		return 0;
	if (strchr(path, '/') && !ckpt_text_starts(path, "optimizer", NULL))
		return 0;
	return take(h, obj, obj->addr, path);
}
