/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an HDF5 file.
 */
#include "core/format/hdf5/hdf5.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_hdf5, data, size);
	return 0;
}
