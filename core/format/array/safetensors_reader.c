/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a safetensors file, one tensor at a time. A tensor is
 * "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}; its members come in any
 * order, each once; unknown ones are passed over, as the reference reader does.
 */
#include "core/format/array/safetensors.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "core/format/array/safetensors_dtype.h"

enum { HAS_DTYPE = 1, HAS_SHAPE = 2, HAS_OFFSETS = 4, HAS_ALL = 7 };

/* What a tensor's object says, while it is read. */
struct entry {
	unsigned has;
	uint64_t bits;	   /* of one element */
	uint64_t elements; /* product of the shape */
	bool too_many;	   /* the product does not fit 64 bits */
};

static int wrong(struct ckpt_safetensors_reader *reader, const char *what)
{
	reader->wrong = what;
	return CKPT_SAFETENSORS_WRONG;
}

/* The next token; the stream's results become the reader's. */
static int next(struct ckpt_safetensors_reader *reader, struct ckpt_jtoken *ret,
		struct ckpt_error *err)
{
	int r = ckpt_jstream_next(&reader->js, ret, err);

	if (r <= 0)
		return r;
	switch ((enum ckpt_jstream_result)r) {
	case CKPT_JSTREAM_TORN:
		return wrong(reader, "the header's JSON does not end within its length");
	case CKPT_JSTREAM_SYNTAX:
		if (ckpt_jstream_at_nul(&reader->js))
			return CKPT_SAFETENSORS_ZEROS;
		return wrong(reader, "the header is not JSON");
	case CKPT_JSTREAM_DEEP:
		return wrong(reader, "the header is nested too deep");
	}
	return wrong(reader, "the header is not JSON");
}

static int skip(struct ckpt_safetensors_reader *reader, struct ckpt_jtoken tok,
		struct ckpt_error *err)
{
	int depth = tok.depth, r;

	if (tok.type != CKPT_J_OBJECT && tok.type != CKPT_J_ARRAY)
		return 0;
	do {
		r = next(reader, &tok, err);
		if (r)
			return r;
	} while (tok.depth != depth ||
		 (tok.type != CKPT_J_OBJECT_END && tok.type != CKPT_J_ARRAY_END));
	return 0;
}

static int read_dtype(struct ckpt_safetensors_reader *reader, struct entry *e,
		      struct ckpt_error *err)
{
	struct ckpt_safetensors_dtype dtype;
	struct ckpt_jtoken tok;
	int r = next(reader, &tok, err);

	if (r)
		return r;
	if (tok.type != CKPT_J_STRING || tok.cut ||
	    !ckpt_safetensors_dtype(tok.text, tok.len, &dtype))
		return wrong(reader, "unknown dtype");
	e->bits = dtype.bits;
	reader->tensor.type = dtype.type;
	reader->tensor.later = dtype.later;
	snprintf(reader->tensor.dtype, sizeof(reader->tensor.dtype), "%s", tok.text);
	return 0;
}

static int read_shape(struct ckpt_safetensors_reader *reader, struct entry *e,
		      struct ckpt_error *err)
{
	struct ckpt_jtoken tok;
	uint64_t dim;
	bool zero = false;
	int r = next(reader, &tok, err);

	if (r)
		return r;
	if (tok.type != CKPT_J_ARRAY)
		return wrong(reader, "the shape is no list");
	e->elements = 1;
	while (r = next(reader, &tok, err), !r && tok.type != CKPT_J_ARRAY_END) {
		if (!ckpt_jtoken_u64(&tok, &dim))
			return wrong(reader, "a dimension is no whole number");
		zero |= !dim;
		reader->tensor.shape = ckpt_tensor_shape(reader->tensor.shape, dim);
		if (dim && __builtin_mul_overflow(e->elements, dim, &e->elements))
			e->too_many = true;
	}
	if (zero) {
		e->elements = 0;
		e->too_many = false;
	}
	reader->tensor.elements = e->elements;
	return r;
}

static int read_offsets(struct ckpt_safetensors_reader *reader, struct entry *e,
			struct ckpt_error *err)
{
	uint64_t value[2] = { 0, 0 };
	struct ckpt_jtoken tok;
	int n = 0, r = next(reader, &tok, err);

	(void)e;
	if (r)
		return r;
	if (tok.type != CKPT_J_ARRAY)
		return wrong(reader, "data_offsets is no list");
	while (r = next(reader, &tok, err), !r && tok.type != CKPT_J_ARRAY_END)
		if (n == 2 || !ckpt_jtoken_u64(&tok, &value[n++]))
			return wrong(reader, "data_offsets is no pair of whole numbers");
	if (r)
		return r;
	if (n != 2 || value[0] > value[1])
		return wrong(reader, "data_offsets is no ascending pair");
	reader->tensor.begin = value[0];
	reader->tensor.end = value[1];
	return 0;
}

/* One member of a tensor's object, its key in @key. */
static int read_member(struct ckpt_safetensors_reader *reader, const struct ckpt_jtoken *key,
		       struct entry *e, struct ckpt_error *err)
{
	static const struct {
		const char *key;
		unsigned bit;
		int (*read)(struct ckpt_safetensors_reader *, struct entry *, struct ckpt_error *);
	} rows[] = {
		{ "dtype", HAS_DTYPE, read_dtype },
		{ "shape", HAS_SHAPE, read_shape },
		{ "data_offsets", HAS_OFFSETS, read_offsets },
	};
	struct ckpt_jtoken tok;
	int r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!ckpt_jtoken_is(key, rows[i].key))
			continue;
		if (e->has & rows[i].bit)
			return wrong(reader, "a tensor's member is there twice");
		e->has |= rows[i].bit;
		return rows[i].read(reader, e, err);
	}
	r = next(reader, &tok, err);
	return r ? r : skip(reader, tok, err);
}

/* The length of the data must be that of dtype and shape; a later version may fill up a byte. */
static int fit(struct ckpt_safetensors_reader *reader, const struct entry *e)
{
	const struct ckpt_safetensors_tensor *t = &reader->tensor;
	uint64_t bits, bytes = t->end - t->begin;
	bool whole, fills;

	if (e->has != HAS_ALL)
		return wrong(reader, "a tensor lacks dtype, shape or data_offsets");
	if (e->too_many || __builtin_mul_overflow(e->elements, e->bits, &bits))
		return wrong(reader, "the shape overflows");
	whole = bits % 8 == 0;
	fills = t->later && !ckpt_safetensors_dtype_flipped(t->dtype, e->elements, bytes);
	if ((whole || fills) && bits / 8 + !whole == bytes)
		return 0;
	return wrong(reader, t->later ? "unknown dtype of a width that does not fit data_offsets"
				      : "data_offsets does not fit dtype and shape");
}

static int read_tensor(struct ckpt_safetensors_reader *reader, struct ckpt_error *err)
{
	struct entry e = { .has = 0 };
	struct ckpt_jtoken tok;
	int r = next(reader, &tok, err);

	if (r)
		return r;
	if (tok.type != CKPT_J_OBJECT)
		return wrong(reader, "a tensor's entry is no object");
	while (r = next(reader, &tok, err), !r && tok.type == CKPT_J_KEY) {
		r = read_member(reader, &tok, &e, err);
		if (r)
			return r;
	}
	return r ? r : fit(reader, &e);
}

/* The object of __metadata__: strings alone; null is none, as the reference reads it. */
static int read_metadata(struct ckpt_safetensors_reader *reader, struct ckpt_error *err)
{
	char text[CKPT_JSTREAM_TEXT + 1];
	struct ckpt_jtoken key, tok;
	int r = next(reader, &tok, err);

	if (r)
		return r;
	if (tok.type == CKPT_J_NULL)
		return 0;
	if (tok.type != CKPT_J_OBJECT)
		return wrong(reader, "__metadata__ is no object");
	while (r = next(reader, &key, err), !r && key.type == CKPT_J_KEY) {
		memcpy(text, key.text, key.len + 1);
		key.text = text;
		r = next(reader, &tok, err);
		if (r)
			return r;
		if (tok.type != CKPT_J_STRING)
			return wrong(reader, "a value of __metadata__ is no string");
		if (reader->metadata)
			reader->metadata(reader->arg, &key, &tok);
	}
	return r;
}

int ckpt_safetensors_open(struct ckpt_safetensors_reader *reader, const struct ckpt_file *file,
			  struct ckpt_error *err)
{
	struct ckpt_jtoken tok;
	uint64_t n;
	int r = ckpt_file_read(file, 0, &n, sizeof(n), err);

	if (r)
		return r > 0 ? CKPT_SAFETENSORS_CUT : r;
	n = le64toh(n);
	reader->header_len = n;
	if (n > CKPT_SAFETENSORS_HEADER_MAX)
		return wrong(reader, "the header's length is beyond 100 MB");
	if (n > file->size - sizeof(n))
		return CKPT_SAFETENSORS_CUT;
	r = ckpt_jstream_open(&reader->js, file, sizeof(n), n);
	if (!r)
		r = next(reader, &tok, err);
	if (!r && (tok.type != CKPT_J_OBJECT || tok.off != sizeof(n)))
		return wrong(reader, "the header does not begin with {");
	return r;
}

static void set_name(struct ckpt_safetensors_tensor *t, const struct ckpt_jtoken *key)
{
	size_t len = key->len < sizeof(t->name) ? key->len : sizeof(t->name) - 1;

	*t = (struct ckpt_safetensors_tensor) { .len = len, .hash = key->hash, .off = key->off };
	memcpy(t->name, key->text, len);
}

int ckpt_safetensors_next(struct ckpt_safetensors_reader *reader, struct ckpt_error *err)
{
	struct ckpt_jtoken tok;
	int r;

	while (r = next(reader, &tok, err), !r && tok.type == CKPT_J_KEY) {
		bool metadata = ckpt_jtoken_is(&tok, "__metadata__");

		set_name(&reader->tensor, &tok);
		if (!metadata)
			return read_tensor(reader, err);
		r = read_metadata(reader, err);
		if (r)
			return r;
	}
	if (!r)
		r = next(reader, &tok, err); /* nothing but blanks may follow */
	return r ? r : CKPT_SAFETENSORS_END;
}

void ckpt_safetensors_done(struct ckpt_safetensors_reader *reader)
{
	ckpt_jstream_done(&reader->js);
}
