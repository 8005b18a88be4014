/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See proto_file.h.
 */
#include "core/format/tensorflow/proto_file.h"

#include "core/base/bytes.h"
#include "core/base/varint.h"

int ckpt_proto_varint(struct ckpt_window *in, uint64_t *ret)
{
	size_t n = in->end - in->at < 10 ? (size_t)(in->end - in->at) : 10;
	struct ckpt_bytes bytes = { NULL, n };
	int r = ckpt_window_peek(in, n, &bytes.p);

	if (r)
		return r;
	if (!ckpt_varint_take(&bytes, ret))
		return CKPT_PROTO_BAD;
	in->at += n - bytes.n;
	return 0;
}

static int take_fixed(struct ckpt_window *in, size_t len, uint64_t *ret)
{
	uint8_t buf[8];
	int r = ckpt_window_take(in, buf, len);

	*ret = r ? 0 : ckpt_bytes_le(buf, len);
	return r > 0 ? CKPT_PROTO_BAD : r;
}

/* Notes where a field's bytes lie and steps over them. */
static int take_bytes(struct ckpt_window *in, struct ckpt_proto_field *f)
{
	int r = ckpt_proto_varint(in, &f->len);

	if (r)
		return r;
	f->off = in->at;
	return ckpt_window_skip(in, f->len) ? CKPT_PROTO_BAD : 0;
}

int ckpt_proto_next(struct ckpt_window *in, struct ckpt_proto_field *ret)
{
	struct ckpt_proto_field f = { .number = 0 };
	uint64_t tag;
	int r;

	if (in->at >= in->end)
		return CKPT_PROTO_END;
	r = ckpt_proto_varint(in, &tag);
	if (r)
		return r;
	f.number = tag >> 3;
	f.type = (unsigned)(tag & 7);
	switch (f.number ? f.type : 7) {
	case CKPT_PROTO_VARINT:
		r = ckpt_proto_varint(in, &f.value);
		break;
	case CKPT_PROTO_FIXED64:
		r = take_fixed(in, 8, &f.value);
		break;
	case CKPT_PROTO_BYTES:
		r = take_bytes(in, &f);
		break;
	case CKPT_PROTO_FIXED32:
		r = take_fixed(in, 4, &f.value);
		break;
	default:
		return CKPT_PROTO_BAD;
	}
	if (r == 0)
		*ret = f;
	return r;
}

int ckpt_proto_text(struct ckpt_window *in, const struct ckpt_proto_field *field, char *ret,
		    size_t size)
{
	uint64_t at = in->at, end = in->end, n = field->len < size ? field->len : size - 1;
	int r;

	ckpt_window_range(in, field->off, n);
	r = ckpt_window_take(in, ret, (size_t)n);
	ret[r ? 0 : n] = '\0';
	in->at = at;
	in->end = end;
	return r;
}
