/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a tar archive, and its members as checkpoints.
 */
#include "core/format/archive/tar.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_tar, data, size);
	return 0;
}
