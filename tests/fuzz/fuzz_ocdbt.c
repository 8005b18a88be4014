/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as an OCDBT manifest and as a data file.
 */
#include "core/format/jax/ocdbt.h"

#include "tests/fuzz/harness.h"

static bool always(const struct ckpt_check *check)
{
	(void)check;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ckpt_format row = {
		.name = "ocdbt",
		.full = CKPT_EVIDENCE_STRUCTURE,
		.sniff = always,
		.structure = ckpt_ocdbt_manifest,
		.content = ckpt_ocdbt_data,
	};

	fuzz_file(&row, data, size);
	return 0;
}
