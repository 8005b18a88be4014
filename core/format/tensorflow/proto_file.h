/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocol buffers read in place from a file, through a small window: messages may be gigabytes
 * long, what is not asked for is stepped over without being read.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_PROTO_FILE_H
#define CKPT_CORE_FORMAT_TENSORFLOW_PROTO_FILE_H

#include "core/base/window.h"

enum ckpt_proto_result {
	CKPT_PROTO_END = 1, /* the message ends here */
	CKPT_PROTO_BAD,	    /* it is none, or its end is not that of a field */
};

enum {
	CKPT_PROTO_VARINT = 0,
	CKPT_PROTO_FIXED64 = 1,
	CKPT_PROTO_BYTES = 2,
	CKPT_PROTO_FIXED32 = 5
};

/* One field: its number and, by wire type, its value or the place of its bytes. */
struct ckpt_proto_field {
	uint64_t number;
	unsigned type;
	uint64_t value;
	uint64_t off, len;
};

/* The next base-128 number of at most ten bytes. 0, CKPT_PROTO_BAD or an errno. */
int ckpt_proto_varint(struct ckpt_window *in, uint64_t *ret);

/* The next field, whose bytes are stepped over. 0, ckpt_proto_result or an errno. */
int ckpt_proto_next(struct ckpt_window *in, struct ckpt_proto_field *ret);

/*
 * The bytes of @field as text, cut to @size - 1 and NUL-terminated; the reader stays where it is.
 * 0, CKPT_PROTO_BAD or an errno.
 */
int ckpt_proto_text(struct ckpt_window *in, const struct ckpt_proto_field *field, char *ret,
		    size_t size);

#endif
