/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a legacy PyTorch file.
 */
#include "core/format/torch/torch_legacy.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_torch_legacy, data, size);
	return 0;
}
