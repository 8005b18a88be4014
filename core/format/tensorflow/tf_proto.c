/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See tf_proto.h. Unknown fields are passed over, as protocol buffers do.
 */
#include "core/format/tensorflow/tf_proto.h"

#include <endian.h>
#include <string.h>

#include "core/format/format.h"

/* One field: its number and, by wire type, its number or bytes. */
struct field {
	uint64_t number;
	unsigned type;
	uint64_t value;
	struct ckpt_bytes bytes;
};

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static bool take_field(struct ckpt_bytes *in, struct field *ret)
{
	struct field f = { .number = 0 };
	uint64_t tag, len;
	uint32_t v;

	if (!ckpt_varint_take(in, &tag) || tag >> 3 == 0)
		return false;
	f.number = tag >> 3;
	f.type = (unsigned)(tag & 7);
	switch (f.type) {
	case VARINT:
		if (!ckpt_varint_take(in, &f.value))
			return false;
		break;
	case FIXED64:
		if (!ckpt_bytes_take(in, 8, &f.bytes))
			return false;
		break;
	case BYTES:
		if (!ckpt_varint_take(in, &len) || !ckpt_bytes_take(in, len, &f.bytes))
			return false;
		break;
	case FIXED32:
		if (!ckpt_bytes_take(in, 4, &f.bytes))
			return false;
		memcpy(&v, f.bytes.p, 4);
		f.value = le32toh(v);
		break;
	default:
		return false;
	}
	*ret = f;
	return true;
}

bool ckpt_tf_header_parse(struct ckpt_bytes in, struct ckpt_tf_header *ret)
{
	struct ckpt_tf_header h = { .num_shards = 0 };
	struct field f;

	while (in.n > 0) {
		if (!take_field(&in, &f))
			return false;
		if (f.number == 1 && f.type == VARINT)
			h.num_shards = f.value;
		else if (f.number == 2 && f.type == VARINT)
			h.big_endian = f.value == 1;
	}
	*ret = h;
	return true;
}

/* TensorShapeProto.Dim: only its size counts. */
static bool parse_dim(struct ckpt_bytes in, struct ckpt_tf_entry *e)
{
	uint64_t size = 0;
	struct field f;

	while (in.n > 0) {
		if (!take_field(&in, &f))
			return false;
		if (f.number == 1 && f.type == VARINT)
			size = f.value;
	}
	e->rank++;
	e->shape = ckpt_tensor_shape(e->shape, size);
	if (size > INT64_MAX || __builtin_mul_overflow(e->elements, size, &e->elements))
		e->odd_shape = true;
	return e->rank <= 254; /* TensorFlow's own limit */
}

static bool parse_shape(struct ckpt_bytes in, struct ckpt_tf_entry *e)
{
	struct field f;

	while (in.n > 0) {
		if (!take_field(&in, &f))
			return false;
		if (f.number == 2 && f.type == BYTES && !parse_dim(f.bytes, e))
			return false;
		if (f.number == 3 && f.type == VARINT && f.value)
			e->odd_shape = true;
	}
	return true;
}

static bool set_field(const struct field *f, struct ckpt_tf_entry *e)
{
	static const struct {
		unsigned number, type;
		size_t at;
	} rows[] = {
		{ 1, VARINT, offsetof(struct ckpt_tf_entry, dtype) },
		{ 3, VARINT, offsetof(struct ckpt_tf_entry, shard) },
		{ 4, VARINT, offsetof(struct ckpt_tf_entry, offset) },
		{ 5, VARINT, offsetof(struct ckpt_tf_entry, size) },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (f->number == rows[i].number && f->type == rows[i].type)
			memcpy((char *)e + rows[i].at, &f->value, sizeof(f->value));
	if (f->number == 6 && f->type == FIXED32)
		e->crc = (uint32_t)f->value;
	if (f->number == 7)
		e->sliced = true;
	return f->number != 2 || f->type != BYTES || parse_shape(f->bytes, e);
}

bool ckpt_tf_entry_parse(struct ckpt_bytes in, struct ckpt_tf_entry *ret)
{
	struct ckpt_tf_entry e = { .elements = 1 };
	struct field f;

	while (in.n > 0)
		if (!take_field(&in, &f) || !set_field(&f, &e))
			return false;
	*ret = e;
	return true;
}

uint64_t ckpt_tf_dtype_size(uint64_t dtype)
{
	/* types.proto: FLOAT 1, DOUBLE 2, INT32 3, UINT8 4, INT16 5, INT8 6, STRING 7, COMPLEX64 8,
	 * INT64 9, BOOL 10, QINT8 11, QUINT8 12, QINT32 13, BFLOAT16 14, QINT16 15, QUINT16 16,
	 * UINT16 17, COMPLEX128 18, HALF 19, RESOURCE 20, VARIANT 21, UINT32 22, UINT64 23 */
	static const uint8_t sizes[] = { 0, 4, 8, 4, 1, 2, 1,  0, 8, 8, 1, 1,
					 1, 4, 2, 2, 2, 2, 16, 2, 0, 0, 4, 8 };

	return dtype < sizeof(sizes) ? sizes[dtype] : 0;
}

const char *ckpt_tf_dtype_name(uint64_t dtype)
{
	static const char *const names[] = { "",	  "float",   "double",	   "int32",
					     "uint8",	  "int16",   "int8",	   "string",
					     "complex64", "int64",   "bool",	   "qint8",
					     "quint8",	  "qint32",  "bfloat16",   "qint16",
					     "quint16",	  "uint16",  "complex128", "half",
					     "resource",  "variant", "uint32",	   "uint64" };

	return dtype < sizeof(names) / sizeof(names[0]) ? names[dtype] : "";
}
