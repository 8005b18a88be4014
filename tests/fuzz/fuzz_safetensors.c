/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the header of a safetensors file, whose length field and buffer are made to fit, so
 * that inputs come past the first test. A file that passes must be refused when it is a byte
 * shorter or longer. All else that the row offers is asked of it, too.
 */
#include "core/format/array/safetensors.h"

#include "tests/fuzz/harness.h"

static int judge(int fd, uint64_t size, struct ckpt_report *report)
{
	struct ckpt_ctx ctx = { .threads = 1 };
	struct ckpt_file file = { .fd = fd, .name = (char *)"f", .size = size, .ctx = &ctx };
	struct ckpt_error err = { 0 };
	struct ckpt_check check = {
		.ctx = &ctx, .name = "f", .dirfd = -1, .file = &file, .report = report, .err = &err
	};

	memset(report, 0, sizeof(*report));
	return ckpt_format_safetensors.structure(&check);
}

/* Where the verdict says that the file should end. */
static uint64_t wanted_end(const struct ckpt_report *report, uint64_t size)
{
	const struct ckpt_problem *p = &report->verdict.problem;
	unsigned long long need;
	const char *digits = strpbrk(p->detail, "0123456789");

	if (p->code == CKPT_PROBLEM_TRAILING)
		return p->offset;
	if (p->code != CKPT_PROBLEM_TRUNCATED || !digits)
		return size;
	need = strtoull(digits, NULL, 10);
	return need < 1 << 20 ? need : size;
}

/* The file in @fd, by all that is asked of any. */
static void judge_all(int fd, uint64_t size)
{
	uint8_t *file = malloc(size);

	if (!file || pread(fd, file, size, 0) != (ssize_t)size)
		abort();
	fuzz_file(&ckpt_format_safetensors, file, size);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ckpt_report *report = calloc(1, sizeof(*report));
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uint64_t n = size, whole;

	if (!report || fd < 0 || pwrite(fd, &n, 8, 0) != 8 ||
	    (size && pwrite(fd, data, size, 8) != (ssize_t)size))
		abort();
	judge(fd, 8 + n, report);
	whole = wanted_end(report, 8 + n);
	if (ftruncate(fd, (off_t)whole + 1))
		abort();
	if (judge(fd, whole, report) == 0) {
		if (judge(fd, whole + 1, report) != CKPT_CORRUPT ||
		    judge(fd, whole - 1, report) == 0)
			abort();
	}
	judge_all(fd, whole);
	close(fd);
	free(report);
	return 0;
}
