/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two messages of a TensorFlow bundle's index (tensor_bundle.proto), read from their wire form.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_PROTO_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_PROTO_H

#include "core/base/varint.h"

enum ckpt_tf_dtype {
	CKPT_TF_INT32 = 3,
	CKPT_TF_STRING = 7,
	CKPT_TF_INT64 = 9,
	CKPT_TF_VARIANT = 21
};

/* BundleHeaderProto. */
struct ckpt_tf_header {
	uint64_t num_shards;
	bool big_endian;
};

/* BundleEntryProto. */
struct ckpt_tf_entry {
	uint64_t dtype, shard, offset, size;
	uint64_t elements; /* product of the shape */
	uint64_t shape;	   /* a hash of its dimensions */
	int rank;	   /* dimensions seen */
	bool odd_shape;	   /* unknown, negative or overflowing: elements means nothing */
	bool sliced;	   /* its data are entries of their own */
	uint32_t crc;	   /* masked */
};

/* Parse @in; false if it is no such message. */
bool ckpt_tf_header_parse(struct ckpt_bytes in, struct ckpt_tf_header *ret);
bool ckpt_tf_entry_parse(struct ckpt_bytes in, struct ckpt_tf_entry *ret);

/* Bytes of one element in the file; 0 for types of varying or unknown size. */
uint64_t ckpt_tf_dtype_size(uint64_t dtype);

/* The type in types.proto's words, in lower case; "" for an unknown one. */
const char *ckpt_tf_dtype_name(uint64_t dtype);

#endif
