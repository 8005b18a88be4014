/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an xz stream, and what they hold as a checkpoint.
 */
#include "core/format/archive/xz.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_xz, data, size);
	return 0;
}
