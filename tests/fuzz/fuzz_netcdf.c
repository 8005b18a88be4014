/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a NetCDF file.
 */
#include "core/format/array/netcdf.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_netcdf, data, size);
	return 0;
}
