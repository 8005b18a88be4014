/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the three texts of an AMReX checkpoint: its header, a multifab's header and that of
 * particles, in a directory whose data file holds the same bytes.
 */
#include "core/format/hpc/amrex.h"

#include <stdio.h>
#include <sys/stat.h>

#include "tests/fuzz/harness.h"

static int dir = -1;

/* The directory is made once for each process. */
static void make_dir(void)
{
	char path[] = "/dev/shm/fuzz-amrex-XXXXXX";

	if (dir >= 0)
		return;
	if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	mkdirat(dir, "Level_0", 0700);
	mkdirat(dir, "p", 0700);
	mkdirat(dir, "p/Level_0", 0700);
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
	static const char *const names[] = { "Header", "Level_0/C_H", "p/Header" };
	struct ckpt_ctx ctx = { .threads = 1 };
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;
	size_t part = size / 4;

	if (!f)
		abort();
	make_dir();
	for (int i = 0; i < 3; i++)
		put(names[i], data + i * part, part);
	put("Level_0/C_D_00000", data + 3 * part, size - 3 * part);
	put("p/Level_0/DATA_00000", data, size);
	for (int full = 0; full < 2; full++) {
		memset(&f->report, 0, sizeof(f->report));
		check = (struct ckpt_check) { .ctx = &ctx,
					      .kind = CKPT_KIND_DIRECTORY,
					      .dirfd = dir,
					      .name = "chk1",
					      .report = &f->report,
					      .err = &f->err };
		fuzz_assert_report(f, full ? ckpt_format_amrex.content(&check)
					   : ckpt_format_amrex.structure(&check));
	}
	free(f);
	return 0;
}
