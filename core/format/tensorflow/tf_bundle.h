/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TensorFlow checkpoints: PREFIX.index, a table of tensors, and PREFIX.data-NNNNN-of-MMMMM, the
 * bytes. The index is written last; a CRC-32C covers each of its blocks and each tensor.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_BUNDLE_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_BUNDLE_H

#include "core/format/format.h"

/* The row "tf-bundle". */
extern const struct ckpt_format ckpt_format_tf_bundle;

#endif
