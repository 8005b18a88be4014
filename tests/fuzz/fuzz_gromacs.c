/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a GROMACS checkpoint.
 */
#include "core/format/hpc/gromacs.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_gromacs, data, size);
	return 0;
}
