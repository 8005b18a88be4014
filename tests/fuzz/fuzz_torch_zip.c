/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a PyTorch archive.
 */
#include "core/format/torch/torch_zip.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_torch_zip, data, size);
	return 0;
}
