/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a checkpoint file, judged by every row of the format table through its one entrance.
 * Beyond memory safety: what passes the full check must pass the structure check, the levels beside
 * them find what their neighbours do (sample is structure where there is no seal; the look for NaN
 * rejects nothing), and no text of a report may hold control characters.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/fuzz/harness.h"

/* The bytes as a file of this process; its path goes to @path. */
static int make_file(const uint8_t *data, size_t size, char *path, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || (size && pwrite(fd, data, size, 0) != (ssize_t)size))
		abort();
	snprintf(path, n, "/proc/self/fd/%d", fd);
	return fd;
}

static int judge(const char *path, enum ckpt_level level)
{
	struct ckpt_report *report = calloc(1, sizeof(*report));
	struct ckpt_ctx ctx = { .threads = 1, .max_bytes = 64 << 20 };
	_cleanup_file_ struct ckpt_file file = CKPT_FILE_INIT;
	struct ckpt_error err = { 0 };
	struct ckpt_check check = { .ctx = &ctx,
				    .kind = CKPT_KIND_FILE,
				    .dirfd = AT_FDCWD,
				    .name = "ckpt-1.pt",
				    .file = &file,
				    .report = report,
				    .err = &err };
	int r;

	if (!report || ckpt_file_open(&ctx, AT_FDCWD, path, &file, &err) != 0)
		abort();
	r = ckpt_check_run(&check, level);
	fuzz_assert_texts(report);
	if (level == CKPT_LEVEL_STRUCTURE && ckpt_check_probe(&check) == 0)
		fuzz_names(&check, ckpt_format_find(&check), "ckpt-1.pt", file.size);
	free(report);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[64];
	int fd = make_file(data, size, path, sizeof(path));
	int structure = judge(path, CKPT_LEVEL_STRUCTURE);
	int full = judge(path, CKPT_LEVEL_FULL);

	if (full == 0 && structure != 0)
		abort();
	if (judge(path, CKPT_LEVEL_SAMPLE) != structure)
		abort();
	if (judge(path, CKPT_LEVEL_FINITE) != full)
		abort();
	close(fd);
	return 0;
}
