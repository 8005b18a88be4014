/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See flax_array.h. As flax/serialization.py has it: packb((shape, dtype.name, tobytes())).
 */
#include "core/format/jax/flax_array.h"

#include <math.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/format/format.h"
#include "core/format/jax/msgpack.h"

#define RANK_MAX 64 /* NumPy's limit; earlier 32 */
#define NAME_MAX_ 32

/* Types by NumPy's name; ml_dtypes' as well. */
static const struct type {
	const char *name;
	uint8_t size;
	char kind; /* i, u, f: numbers that a position may be */
} types[] = {
	{ "float32", 4, 'f' },	   { "bfloat16", 2, 0 },	{ "float16", 2, 0 },
	{ "float64", 8, 'f' },	   { "int32", 4, 'i' },		{ "int64", 8, 'i' },
	{ "uint32", 4, 'u' },	   { "uint64", 8, 'u' },	{ "int16", 2, 'i' },
	{ "uint16", 2, 'u' },	   { "int8", 1, 'i' },		{ "uint8", 1, 'u' },
	{ "bool", 1, 0 },	   { "complex64", 8, 0 },	{ "complex128", 16, 0 },
	{ "float8_e4m3fn", 1, 0 }, { "float8_e5m2", 1, 0 },	{ "float8_e4m3fnuz", 1, 0 },
	{ "float8_e4m3", 1, 0 },   { "float8_e5m2fnuz", 1, 0 }, { "float8_e4m3b11fnuz", 1, 0 },
};

static int bad(struct ckpt_flax_array *array, const char *what)
{
	array->wrong = what;
	return CKPT_FLAX_ARRAY_BAD;
}

/* The next token, which must be a @kind. */
static int take(struct ckpt_window *in, enum ckpt_msgpack_kind kind, struct ckpt_msgpack *token,
		struct ckpt_flax_array *ret)
{
	int r = ckpt_msgpack_next(in, token);

	if (r < 0)
		return r;
	return r || token->kind != kind ? bad(ret, "it is no array of shape, type and bytes") : 0;
}

static int take_shape(struct ckpt_window *in, struct ckpt_flax_array *ret)
{
	struct ckpt_msgpack token;
	uint64_t rank;
	int r = take(in, CKPT_MSGPACK_ARRAY, &token, ret);

	if (r)
		return r;
	rank = token.len;
	if (rank > RANK_MAX)
		return bad(ret, "its rank is over 64");
	ret->elements = 1;
	while (rank-- > 0) {
		r = take(in, CKPT_MSGPACK_INT, &token, ret);
		if (r)
			return r;
		if (token.value > INT64_MAX ||
		    __builtin_mul_overflow(ret->elements, token.value, &ret->elements))
			return bad(ret, "its shape overflows");
		ret->shape = ckpt_tensor_shape(ret->shape, token.value);
	}
	return 0;
}

/* The type's row; *@ret_type is NULL for one that is not known here. */
static int take_type(struct ckpt_window *in, const struct type **ret_type,
		     struct ckpt_flax_array *ret)
{
	struct ckpt_msgpack token;
	char name[NAME_MAX_] = "";
	int r = take(in, CKPT_MSGPACK_STR, &token, ret);

	*ret_type = NULL;
	if (r)
		return r;
	if (token.len >= sizeof(name))
		return ckpt_window_skip(in, token.len);
	r = ckpt_window_take(in, name, (size_t)token.len);
	for (size_t i = 0; r == 0 && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			*ret_type = &types[i];
	return r;
}

/* The value of an array of one element. 0 or an errno. */
static int take_number(struct ckpt_window *in, const struct type *type, struct ckpt_flax_array *ret)
{
	unsigned shift = 64 - 8u * type->size;
	uint8_t buf[8];
	uint64_t bits;
	double wide;
	float narrow;
	int r = ckpt_window_take(in, buf, type->size);

	if (r)
		return r;
	bits = ckpt_bytes_le(buf, type->size);
	ret->has_number = true;
	ret->number = (int64_t)bits;
	if (type->kind == 'i')
		ret->number = (int64_t)(bits << shift) >> shift;
	if (type->kind != 'f')
		return 0;
	memcpy(&wide, &bits, sizeof(wide));
	memcpy(&narrow, &bits, sizeof(narrow));
	wide = type->size == 4 ? (double)narrow : wide;
	ret->has_number = wide >= 0 && wide <= 9007199254740992.0 && wide == floor(wide);
	ret->number = ret->has_number ? (int64_t)wide : 0;
	return 0;
}

static int take_data(struct ckpt_window *in, const struct type *type, struct ckpt_flax_array *ret)
{
	struct ckpt_msgpack token;
	uint64_t bytes;
	int r = take(in, CKPT_MSGPACK_BIN, &token, ret);

	if (r)
		return r;
	if (token.len != in->end - in->at)
		return bad(ret, "bytes follow its data");
	ret->type = type ? type->name : NULL;
	if (type &&
	    (__builtin_mul_overflow(ret->elements, type->size, &bytes) || bytes != token.len))
		return bad(ret, "its data do not fit type and shape");
	if (type && type->kind && ret->elements == 1)
		return take_number(in, type, ret);
	return ckpt_window_skip(in, token.len);
}

int ckpt_flax_array_read(struct ckpt_window *in, struct ckpt_flax_array *ret)
{
	const struct type *type = NULL;
	struct ckpt_msgpack token;
	int r;

	*ret = (struct ckpt_flax_array) { .elements = 0 };
	r = take(in, CKPT_MSGPACK_ARRAY, &token, ret);
	if (r == 0 && token.len != 3)
		r = bad(ret, "it is no array of shape, type and bytes");
	r = r ? r : take_shape(in, ret);
	r = r ? r : take_type(in, &type, ret);
	return r ? r : take_data(in, type, ret);
}
