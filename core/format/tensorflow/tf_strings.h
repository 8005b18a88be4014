/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tensors of strings and variants in a TensorFlow data file: their CRC does not cover the bytes as
 * they lie there, but lengths as fixed numbers (tensor_bundle.cc: ReadStringTensor,
 * ReadVariantTensor).
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_STRINGS_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_STRINGS_H

#include "core/base/file.h"
#include "core/format/tensorflow/tf_proto.h"

enum ckpt_tf_strings_result {
	CKPT_TF_STRINGS_BAD = 1, /* lengths or checksum do not agree with the entry */
};

/*
 * Verifies the little-endian DT_STRING or DT_VARIANT tensor @entry in @file, in constant memory.
 * 0, CKPT_TF_STRINGS_BAD or an errno.
 */
int ckpt_tf_strings_verify(const struct ckpt_file *file, const struct ckpt_tf_entry *entry,
			   struct ckpt_error *err);

#endif
