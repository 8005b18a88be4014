/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as PyTorch's tar archive, and its members as checkpoints.
 */
#include "core/format/torch/torch_tar.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_torch_tar, data, size);
	return 0;
}
