/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a NumPy array.
 */
#include "core/format/array/npy.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_npy, data, size);
	return 0;
}
