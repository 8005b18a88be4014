/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a PyTorch archive.
 */
#include "tests/fuzz/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_torch(data, size);
	return 0;
}
