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

/* Where an attribute's name, type, space and data are. */
struct parts {
	unsigned version, flags, name_len;
	struct ckpt_hdf5_cur name, type, space;
};

static int take_parts(struct ckpt_hdf5_cur *cur, struct parts *ret)
{
	unsigned type_len, space_len;

	ret->version = (unsigned)ckpt_hdf5_uint(cur, 1);
	ret->flags = (unsigned)ckpt_hdf5_uint(cur, 1);
	ret->name_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	type_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	space_len = (unsigned)ckpt_hdf5_uint(cur, 2);
	if (ret->version == 3)
		ckpt_hdf5_skip(cur, 1);
	ret->name = part(cur, ret->name_len, ret->version);
	ret->type = part(cur, type_len, ret->version);
	ret->space = part(cur, space_len, ret->version);
	if (cur->r == 0 && (ret->version < 1 || ret->version > 3))
		return ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at,
					"an attribute of version %u", ret->version);
	return cur->r;
}

/* The name is as long as the message says, and ends there (H5O__attr_decode()); its beginning goes
 * to @text. */
static int take_name(struct ckpt_hdf5 *h, const struct parts *p, char *text, size_t size)
{
	unsigned len = 0, n = 0;
	char piece[64];
	int r = 0;

	text[0] = '\0';
	if (p->name_len > 0 && p->name_len < size)
		r = ckpt_hdf5_read(h, p->name.at, text, p->name_len);
	for (bool ended = false; r == 0 && !ended && len < p->name_len; len += n) {
		size_t most = p->name_len - len;

		most = most < sizeof(piece) ? most : sizeof(piece);
		r = ckpt_hdf5_read(h, p->name.at + len, piece, most);
		n = r ? 0 : (unsigned)strnlen(piece, most);
		ended = n < most;
	}
	if (r == 0 && len + 1 != p->name_len)
		return ckpt_hdf5_reject(h, CKPT_PROBLEM_HEADER, p->name.at,
					"an attribute's name is not as long as it should be");
	return r;
}

/* Its value fills what is left; in a header without a checksum, to the last word. */
static int check_value(struct ckpt_hdf5_cur *cur, const struct ckpt_hdf5_object *value, bool summed)
{
	uint64_t need, has = cur->end - cur->at;

	if (__builtin_mul_overflow(value->items, value->type_size, &need) || need > has ||
	    (!summed && has - need >= 8))
		return ckpt_hdf5_reject(cur->h, CKPT_PROBLEM_HEADER, cur->at,
					"an attribute's value has another length than its shape");
	return 0;
}

int ckpt_hdf5_attribute(struct ckpt_hdf5_cur *cur, bool summed)
{
	struct ckpt_hdf5_object value = { .summed = summed };
	struct parts p;
	char text[32];
	int r = take_parts(cur, &p);

	r = r ? r : take_name(cur->h, &p, text, sizeof(text));
	if (r || (p.version > 1 && (p.flags & 3))) /* type or space are kept elsewhere */
		return r;
	r = ckpt_hdf5_message(&p.type, 0x03, &value);
	r = r ? r : ckpt_hdf5_message(&p.space, 0x01, &value);
	r = r ? r : check_value(cur, &value, summed);
	r = r ? r : ckpt_hdf5_variable(cur->h, &value, cur->at, cur->end - cur->at);
	if (r || cur->h->current != 0 || p.name_len >= sizeof(text))
		return r;
	if (strcmp(text, "keras_version") == 0)
		note_framework(cur->h, &value, cur);
	return take(cur->h, &value, cur->at, text);
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
