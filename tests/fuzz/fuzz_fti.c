/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a book of FTI, beside a rank's file.
 */
#include "core/format/hpc/fti.h"

#include "tests/fuzz/harness.h"

static int dir = -1;

static void make_dir(void)
{
	char path[] = "/dev/shm/fuzz-fti-XXXXXX";

	if (dir < 0 && (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY)) < 0))
		abort();
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;

	if (!f)
		abort();
	make_dir();
	put("sector0-group0.fti", data, size);
	put("Ckpt1-Rank0.fti", data, size < 9 ? size : 9);
	check = (struct ckpt_check) { .ctx = &ctx,
				      .kind = CKPT_KIND_DIRECTORY,
				      .dirfd = dir,
				      .name = "l4",
				      .report = &f->report,
				      .err = &f->err };
	ckpt_format_fti.sniff(&check);
	fuzz_assert_report(f, ckpt_format_fti.structure(&check));
	free(f);
	return 0;
}
