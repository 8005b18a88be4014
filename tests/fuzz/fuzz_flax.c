/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a Flax checkpoint.
 */
#include "core/format/jax/flax.h"

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_file(&ckpt_format_flax, data, size);
	return 0;
}
