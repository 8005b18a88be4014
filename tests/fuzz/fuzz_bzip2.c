/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a bzip2 stream, and what they hold as a checkpoint.
 */
#include "core/format/archive/bzip2.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_bzip2, data, size);
	return 0;
}
