/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an image of DMTCP and as its restart script.
 */
#include "core/format/hpc/dmtcp.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_dmtcp, data, size);
	fuzz_file(&ckpt_format_dmtcp_script, data, size);
	return 0;
}
