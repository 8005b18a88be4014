/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a PyTorch archive, judged and asked for settings.
 */
#include "tests/fuzz/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_torch_zip, data, size);
	fuzz_torch_settings(data, size);
	return 0;
}
