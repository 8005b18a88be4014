/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For targets that want a directory: one in memory, whose files are put anew for each input.
 */
#ifndef CKPT_TESTS_FUZZ_DIR_H
#define CKPT_TESTS_FUZZ_DIR_H

#include "tests/fuzz/harness.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static char fuzz_dir_path[] = "/dev/shm/fuzz-XXXXXX";

/* The directory's descriptor, the same on each call. */
static inline int fuzz_dir(void)
{
	static int fd = -1;

	if (fd < 0 && (!mkdtemp(fuzz_dir_path) ||
		       (fd = open(fuzz_dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0))
		abort();
	return fd;
}

/* Writes @name there; the folders in it must be there (fuzz_dir_make()). */
static inline void fuzz_dir_put(const char *name, const uint8_t *data, size_t size)
{
	int fd = openat(fuzz_dir(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* Makes the folder @name there, if it is not. */
static inline void fuzz_dir_make(const char *name)
{
	if (mkdirat(fuzz_dir(), name, 0700) < 0 && errno != EEXIST)
		abort();
}

/* Judges what is there as @kind with @name by @row: structure, and content where that passed. */
static inline void fuzz_dir_judge(const struct ckpt_format *row, enum ckpt_kind kind,
				  const char *name)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	struct ckpt_check check;
	int r;

	if (!f)
		abort();
	f->ctx.threads = 1;
	check = (struct ckpt_check) { .ctx = &f->ctx,
				      .kind = kind,
				      .dirfd = fuzz_dir(),
				      .name = name,
				      .report = &f->report,
				      .err = &f->err };
	f->report.verdict.evidence = CKPT_EVIDENCE_STRUCTURE;
	r = row->sniff(&check) ? row->structure(&check) : 0;
	fuzz_assert_report(f, r);
	f->report.verdict.evidence = row->full;
	if (r == 0 && row->content)
		fuzz_assert_report(f, row->content(&check));
	free(f);
}

#endif
