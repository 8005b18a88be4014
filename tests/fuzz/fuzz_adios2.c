/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a BP3 file, and as the index and the data of a directory.
 */
#include "core/format/hpc/adios2.h"

#include "tests/fuzz/dir.h"

/* A header that passes, so that records are reached; the input's first byte chooses. */
static void put_index(const uint8_t *data, size_t size)
{
	uint8_t buf[64 + 16384] = "ADIOS-BP v2.9.1 Index Table";
	size_t n = size < 16384 ? size : 16384;

	buf[36] = data[0] >> 1 & 1;
	buf[37] = data[0] & 1 ? 5 : 4;
	buf[38] = data[0] & 1 ? 2 : 0;
	memcpy(buf + 64, data, n);
	fuzz_dir_put("md.idx", buf, 64 + n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f;
	struct ckpt_check check;

	fuzz_file(&ckpt_format_adios_bp3, data, size);
	f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	if (size > 2) {
		put_index(data + 1, size / 2);
		fuzz_dir_put("data.0", data + size / 2, size - size / 2);
		fuzz_dir_put("mmd.0", data, size / 3);
		fuzz_dir_put("md.0", data, size);
		check = (struct ckpt_check) { .ctx = &ctx,
					      .kind = CKPT_KIND_DIRECTORY,
					      .dirfd = fuzz_dir(),
					      .name = "x.bp",
					      .report = &f->report,
					      .err = &f->err };
		fuzz_assert_report(f, ckpt_format_adios2.structure(&check));
	}
	free(f);
	return 0;
}
