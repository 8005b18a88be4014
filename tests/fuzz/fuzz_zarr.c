/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the metadata of a zarr array, up to a NUL, and one of its chunks behind that.
 */
#include "core/format/array/zarr.h"

#include <string.h>

#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = memchr(data, '\0', size);
	size_t len = nul ? (size_t)(nul - data) : size;
	struct ckpt_zarr_bytes bytes = { .member = "x" };
	struct ckpt_check check = { 0 };
	struct ckpt_zarr zarr;
	struct fuzz f;
	bool covered;

	if (!nul || !ckpt_zarr_read((const char *)data, len, &zarr))
		return 0;
	ckpt_zarr_is_chunk(&zarr, (const char *)data, len);
	fuzz_tensor(NULL, &zarr.all);
	if (ckpt_text_has_control(zarr.all.type))
		abort();
	fuzz_init(&f, nul + 1, size - len - 1);
	check = (struct ckpt_check) {
		.ctx = &f.ctx, .dirfd = -1, .name = "fuzz", .report = &f.report, .err = &f.err
	};
	bytes.file = &f.file;
	bytes.len = f.file.size;
	fuzz_assert_report(&f, ckpt_zarr_chunk(&check, &zarr, &bytes, CKPT_LEVEL_FULL, &covered));
	fuzz_done(&f);
	return 0;
}
