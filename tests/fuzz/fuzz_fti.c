/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a book of FTI, beside a rank's file.
 */
#include "core/format/hpc/fti.h"

#include "tests/fuzz/dir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;

	if (!f)
		abort();
	fuzz_dir_put("sector0-group0.fti", data, size);
	fuzz_dir_put("Ckpt1-Rank0.fti", data, size < 9 ? size : 9);
	check = (struct ckpt_check) { .ctx = &ctx,
				      .kind = CKPT_KIND_DIRECTORY,
				      .dirfd = fuzz_dir(),
				      .name = "l4",
				      .report = &f->report,
				      .err = &f->err };
	ckpt_format_fti.sniff(&check);
	fuzz_assert_report(f, ckpt_format_fti.structure(&check));
	free(f);
	return 0;
}
