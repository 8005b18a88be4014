/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A base file of LAMMPS and the file of its one process, out of one input: the first two bytes tell
 * where the one ends.
 */
#include "core/format/hpc/lammps.h"

#include "tests/fuzz/dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at;

	if (size < 2)
		return 0;
	at = data[0] | (size_t)data[1] << 8;
	data += 2;
	size -= 2;
	at = at < size ? at : size;
	fuzz_dir_put("md.base", data, at);
	fuzz_dir_put("md.0", data + at, size - at);
	fuzz_dir_judge(&ckpt_format_lammps_set, CKPT_KIND_PREFIX, "md.%");
	return 0;
}
