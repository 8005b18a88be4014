/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a gzip member, and what they hold as a checkpoint.
 */
#include "core/format/archive/gzip.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_gzip, data, size);
	return 0;
}
