/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See msgpack.h.
 */
#include "core/format/jax/msgpack.h"

#include "core/base/bytes.h"

#define NEVER 0xff

/* First bytes 0xc0 to 0xdf: what they begin, and the bytes of the length or value behind them. */
static const struct row {
	uint8_t kind, bytes;
	uint8_t len; /* of a fixext, whose length is not written */
} rows[32] = {
	{ CKPT_MSGPACK_NIL, 0, 0 },   { NEVER, 0, 0 },
	{ CKPT_MSGPACK_BOOL, 0, 0 },  { CKPT_MSGPACK_BOOL, 0, 0 },
	{ CKPT_MSGPACK_BIN, 1, 0 },   { CKPT_MSGPACK_BIN, 2, 0 },
	{ CKPT_MSGPACK_BIN, 4, 0 },   { CKPT_MSGPACK_EXT, 1, 0 },
	{ CKPT_MSGPACK_EXT, 2, 0 },   { CKPT_MSGPACK_EXT, 4, 0 },
	{ CKPT_MSGPACK_FLOAT, 4, 0 }, { CKPT_MSGPACK_FLOAT, 8, 0 },
	{ CKPT_MSGPACK_INT, 1, 0 },   { CKPT_MSGPACK_INT, 2, 0 },
	{ CKPT_MSGPACK_INT, 4, 0 },   { CKPT_MSGPACK_INT, 8, 0 },
	{ CKPT_MSGPACK_INT, 1, 0 },   { CKPT_MSGPACK_INT, 2, 0 },
	{ CKPT_MSGPACK_INT, 4, 0 },   { CKPT_MSGPACK_INT, 8, 0 },
	{ CKPT_MSGPACK_EXT, 0, 1 },   { CKPT_MSGPACK_EXT, 0, 2 },
	{ CKPT_MSGPACK_EXT, 0, 4 },   { CKPT_MSGPACK_EXT, 0, 8 },
	{ CKPT_MSGPACK_EXT, 0, 16 },  { CKPT_MSGPACK_STR, 1, 0 },
	{ CKPT_MSGPACK_STR, 2, 0 },   { CKPT_MSGPACK_STR, 4, 0 },
	{ CKPT_MSGPACK_ARRAY, 2, 0 }, { CKPT_MSGPACK_ARRAY, 4, 0 },
	{ CKPT_MSGPACK_MAP, 2, 0 },   { CKPT_MSGPACK_MAP, 4, 0 },
};

#define FIRST_SIGNED 0xd0
#define LAST_SIGNED 0xd3

/* What a first byte says alone. False for those of the table. */
static bool short_form(uint8_t first, struct ckpt_msgpack *ret)
{
	if (first < 0x80 || first >= 0xe0) {
		ret->kind = CKPT_MSGPACK_INT;
		ret->value = (uint64_t)(int64_t)(int8_t)first;
	} else if (first < 0x90) {
		ret->kind = CKPT_MSGPACK_MAP;
		ret->len = first & 0x0f;
	} else if (first < 0xa0) {
		ret->kind = CKPT_MSGPACK_ARRAY;
		ret->len = first & 0x0f;
	} else if (first < 0xc0) {
		ret->kind = CKPT_MSGPACK_STR;
		ret->len = first & 0x1f;
	} else {
		return false;
	}
	return true;
}

static uint64_t widen(uint64_t value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* The number behind the first byte, and an extension's type. 0, CKPT_MSGPACK_SHORT or an errno. */
static int take_rest(struct ckpt_window *in, uint8_t first, struct ckpt_msgpack *ret)
{
	const struct row *row = &rows[first - 0xc0];
	uint8_t buf[9];
	int r = ckpt_window_take(in, buf, row->bytes + (row->kind == CKPT_MSGPACK_EXT));

	if (r)
		return r < 0 ? r : CKPT_MSGPACK_SHORT;
	ret->kind = row->kind;
	ret->value = ckpt_bytes_be(buf, row->bytes);
	ret->len = row->len ? row->len : ret->value;
	if (row->kind == CKPT_MSGPACK_EXT)
		ret->ext = (int8_t)buf[row->bytes];
	if (row->kind == CKPT_MSGPACK_FLOAT)
		ret->len = row->bytes;
	if (first >= FIRST_SIGNED && first <= LAST_SIGNED)
		ret->value = widen(ret->value, row->bytes);
	if (row->kind == CKPT_MSGPACK_BOOL)
		ret->value = first & 1;
	return 0;
}

int ckpt_msgpack_next(struct ckpt_window *in, struct ckpt_msgpack *ret)
{
	struct ckpt_msgpack token = { 0 };
	uint8_t first;
	int r = ckpt_window_take(in, &first, 1);

	if (r)
		return r < 0 ? r : CKPT_MSGPACK_SHORT;
	if (first == 0xc1)
		return CKPT_MSGPACK_NEVER;
	if (!short_form(first, &token)) {
		r = take_rest(in, first, &token);
		if (r)
			return r;
	}
	if (token.kind >= CKPT_MSGPACK_STR && token.kind <= CKPT_MSGPACK_EXT &&
	    token.len > in->end - in->at)
		return CKPT_MSGPACK_SHORT;
	*ret = token;
	return 0;
}
