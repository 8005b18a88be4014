/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a zip of no other row.
 */
#include "core/format/archive/zip_plain.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_zip, data, size);
	return 0;
}
