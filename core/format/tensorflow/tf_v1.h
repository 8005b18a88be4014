/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoints of TensorFlow's first version (tf.train.Saver with SaverDef.V1): one table whose
 * first entry lists all tensors and their slices, every other one holding a slice. Blocks have
 * CRCs, so that a full check proves every byte. Sharded ones are files NAME-SSSSS-of-NNNNN, each
 * with a table and a list of its own.
 */
#ifndef CKPT_CORE_FORMAT_TENSORFLOW_TF_V1_H
#define CKPT_CORE_FORMAT_TENSORFLOW_TF_V1_H

#include "core/format/format.h"

extern const struct ckpt_format ckpt_format_tf_v1;

#endif
