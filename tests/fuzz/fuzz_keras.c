/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a Keras archive.
 */
#include "core/format/hdf5/keras.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_keras, data, size);
	return 0;
}
