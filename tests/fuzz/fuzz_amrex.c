/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the three texts of an AMReX checkpoint: its header, a multifab's header and that of
 * particles, in a directory whose data file holds the same bytes.
 */
#include "core/format/hpc/amrex.h"

#include "tests/fuzz/dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "Header", "Level_0/C_H", "p/Header" };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;
	size_t part = size / 4;

	if (!f)
		abort();
	fuzz_dir_make("Level_0");
	fuzz_dir_make("p");
	fuzz_dir_make("p/Level_0");
	for (int i = 0; i < 3; i++)
		fuzz_dir_put(names[i], data + i * part, part);
	fuzz_dir_put("Level_0/C_D_00000", data + 3 * part, size - 3 * part);
	fuzz_dir_put("p/Level_0/DATA_00000", data, size);
	for (int full = 0; full < 2; full++) {
		memset(&f->report, 0, sizeof(f->report));
		check = (struct ckpt_check) { .ctx = &ctx,
					      .kind = CKPT_KIND_DIRECTORY,
					      .dirfd = fuzz_dir(),
					      .name = "chk1",
					      .report = &f->report,
					      .err = &f->err };
		fuzz_assert_report(f, full ? ckpt_format_amrex.content(&check)
					   : ckpt_format_amrex.structure(&check));
	}
	free(f);
	return 0;
}
