/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MessagePack, one token at a time: https://github.com/msgpack/msgpack/blob/master/spec.md.
 */
#ifndef CKPT_CORE_FORMAT_JAX_MSGPACK_H
#define CKPT_CORE_FORMAT_JAX_MSGPACK_H

#include "core/base/window.h"

enum ckpt_msgpack_kind {
	CKPT_MSGPACK_NIL,
	CKPT_MSGPACK_BOOL,
	CKPT_MSGPACK_INT,   /* value; as int64_t if it is signed */
	CKPT_MSGPACK_FLOAT, /* value: its bits, len: 4 or 8 */
	CKPT_MSGPACK_STR,   /* these three: len bytes follow */
	CKPT_MSGPACK_BIN,
	CKPT_MSGPACK_EXT,   /* of type ext */
	CKPT_MSGPACK_ARRAY, /* len values follow */
	CKPT_MSGPACK_MAP,   /* len keys, each with its value, follow */
};

struct ckpt_msgpack {
	enum ckpt_msgpack_kind kind;
	uint64_t value, len;
	int8_t ext;
};

enum ckpt_msgpack_result {
	CKPT_MSGPACK_SHORT = 1, /* the range ends in the token */
	CKPT_MSGPACK_NEVER,	/* the byte 0xc1 begins nothing */
};

/*
 * Reads one token; the bytes of a string, binary or extension, which are inside the range, are left
 * to the caller. 0, ckpt_msgpack_result or an errno.
 */
int ckpt_msgpack_next(struct ckpt_window *in, struct ckpt_msgpack *ret);

#endif
