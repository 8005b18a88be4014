/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the file of one rank, and as all ranks' file.
 */
#include "core/format/hpc/veloc.h"

#include "tests/fuzz/harness.h"

static void judge(const char *name, const uint8_t *data, size_t size)
{
	struct fuzz *f = malloc(sizeof(*f));
	struct ckpt_check check;

	if (!f)
		abort();
	fuzz_init(f, data, size);
	free(f->file.name);
	f->file.name = strdup(name);
	check = (struct ckpt_check) { .ctx = &f->ctx,
				      .kind = CKPT_KIND_FILE,
				      .dirfd = -1,
				      .name = name,
				      .file = &f->file,
				      .report = &f->report,
				      .err = &f->err };
	if (ckpt_check_probe(&check) == 0) {
		ckpt_format_veloc.sniff(&check);
		fuzz_assert_report(f, ckpt_format_veloc.structure(&check));
	}
	fuzz_done(f);
	free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	judge("heat-0-5.dat", data, size);
	judge("heat-agg-5.dat", data, size);
	return 0;
}
