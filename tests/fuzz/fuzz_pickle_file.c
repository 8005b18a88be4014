/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a file of pickles.
 */
#include "core/format/torch/pickle_file.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_pickle_file, data, size);
	return 0;
}
