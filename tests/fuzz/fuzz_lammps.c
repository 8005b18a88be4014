/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a LAMMPS restart file.
 */
#include "core/format/hpc/lammps.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_lammps, data, size);
	return 0;
}
