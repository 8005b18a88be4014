/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For targets that want a directory: one in memory, whose files are put anew for each input. It
 * goes with the process.
 */
#ifndef CKPT_TESTS_FUZZ_DIR_H
#define CKPT_TESTS_FUZZ_DIR_H

#include "tests/fuzz/harness.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static char fuzz_dir_path[] = "/dev/shm/fuzz-XXXXXX";

/* Has the directory removed once this process is gone, however it goes: libFuzzer leaves by _exit()
 * at a finding, a slow input and a signal. A child in a session of its own, where none of the
 * terminal's signals and none of `timeout` come, sees the pipe's end. */
static inline void fuzz_dir_guard(void)
{
	int ends[2];
	pid_t pid;
	char c;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		abort();
	if (pid > 0) {
		close(ends[0]); /* the other stays, to the end */
		return;
	}
	setsid();
	close(ends[1]);
	while (read(ends[0], &c, 1) < 0 && errno == EINTR)
		;
	execlp("rm", "rm", "-rf", "--", fuzz_dir_path, NULL);
	_exit(127);
}

/* The directory's descriptor, the same on each call. */
static inline int fuzz_dir(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	if (!mkdtemp(fuzz_dir_path))
		abort();
	fuzz_dir_guard();
	fd = open(fuzz_dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
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
