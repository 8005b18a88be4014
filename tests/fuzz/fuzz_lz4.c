/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an LZ4 frame, and what they hold as a checkpoint.
 */
#include "core/format/archive/lz4.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_lz4, data, size);
	return 0;
}
