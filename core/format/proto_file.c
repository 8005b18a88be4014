/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See proto_file.h.
 */
#include "core/format/proto_file.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/varint.h"

void ckpt_proto_range(struct ckpt_proto *in, uint64_t off, uint64_t len)
{
	in->at = off;
	in->end = off + len;
}

/* Makes the window begin at the next byte unless @len bytes are in it. 0 or an errno. */
static int fill(struct ckpt_proto *in, size_t len)
{
	uint64_t left = in->file->size - in->at;
	uint32_t n = left < sizeof(in->win) ? (uint32_t)left : sizeof(in->win);
	int r;

	if (in->at >= in->win_off && in->at - in->win_off + len <= in->win_len)
		return 0;
	in->win_len = 0;
	r = ckpt_file_read(in->file, in->at, in->win, n, in->err);
	if (r)
		return r < 0 ? r : -EAGAIN; /* it had that size when it was opened */
	in->win_off = in->at;
	in->win_len = n;
	return 0;
}

int ckpt_proto_take(struct ckpt_proto *in, void *dst, size_t len)
{
	uint8_t *out = dst;
	int r;

	if (len > in->end - in->at)
		return CKPT_PROTO_BAD;
	while (len > 0) {
		size_t n = len < sizeof(in->win) ? len : sizeof(in->win);

		r = fill(in, n);
		if (r)
			return r;
		memcpy(out, in->win + (in->at - in->win_off), n);
		in->at += n;
		out += n;
		len -= n;
	}
	return 0;
}

int ckpt_proto_varint(struct ckpt_proto *in, uint64_t *ret)
{
	size_t n = in->end - in->at < 10 ? (size_t)(in->end - in->at) : 10;
	struct ckpt_bytes bytes;
	int r = fill(in, n);

	if (r)
		return r;
	bytes = (struct ckpt_bytes) { in->win + (in->at - in->win_off), n };
	if (!ckpt_varint_take(&bytes, ret))
		return CKPT_PROTO_BAD;
	in->at += n - bytes.n;
	return 0;
}

static int take_fixed(struct ckpt_proto *in, size_t len, uint64_t *ret)
{
	uint8_t buf[8];
	int r = ckpt_proto_take(in, buf, len);

	*ret = r ? 0 : ckpt_bytes_le(buf, len);
	return r;
}

/* Notes where a field's bytes lie and steps over them. */
static int take_bytes(struct ckpt_proto *in, struct ckpt_proto_field *f)
{
	int r = ckpt_proto_varint(in, &f->len);

	if (r)
		return r;
	f->off = in->at;
	if (f->len > in->end - in->at)
		return CKPT_PROTO_BAD;
	in->at += f->len;
	return 0;
}

int ckpt_proto_next(struct ckpt_proto *in, struct ckpt_proto_field *ret)
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

int ckpt_proto_text(struct ckpt_proto *in, const struct ckpt_proto_field *field, char *ret,
		    size_t size)
{
	uint64_t at = in->at, end = in->end, n = field->len < size ? field->len : size - 1;
	int r;

	ckpt_proto_range(in, field->off, n);
	r = ckpt_proto_take(in, ret, (size_t)n);
	ret[r ? 0 : n] = '\0';
	in->at = at;
	in->end = end;
	return r;
}
