/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a TensorFlow checkpoint of version 1.
 */
#include "core/format/tensorflow/tf_v1.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_tf_v1, data, size);
	return 0;
}
