/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as snappy text, into a buffer of just the promised size.
 */
#include <stdint.h>
#include <stdlib.h>

#include "core/format/tensorflow/snappy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t n;
	uint8_t *out;

	if (ckpt_snappy_length(data, size, &n) || n > 1 << 20)
		return 0;
	out = malloc(n + 1);
	if (!out)
		abort();
	(void)ckpt_snappy_decode(data, size, out, n);
	free(out);
	return 0;
}
